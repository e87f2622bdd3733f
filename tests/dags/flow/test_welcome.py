"""The welcome flow from the trigger to the mail, in Airflow."""

from __future__ import annotations

from datetime import datetime

from tests.dags.flow.shop_journeys import DAY, HOUR, NOON, contact, give_codes, mails_of


def subscribed(number: int, at: datetime, **offered) -> dict:
    return {"contact_id": f"shop-{number}", "occurrence_id": f"{at:%Y-%m-%d}", "occurred_at": at, **offered}


def test_a_hello_at_once_then_who_we_are_and_a_voucher_for_who_has_not_ordered(circuit, run_dag):
    people = [contact(1), contact(2), contact(3, email_consent="revoked"), contact(4), contact(5, email=None)]
    content = {"content_title": "Tea for beginners", "content_url": "https://shop.example/beginners"}
    rows = {
        "core.contacts": people,
        "triggers.subscribed": [
            subscribed(1, NOON - HOUR, **content),
            *(subscribed(number, NOON - HOUR) for number in (2, 3, 5)),
            subscribed(4, NOON - 9 * DAY),
        ],
    }
    give_codes(circuit, "welcome", "WELCOME-A1", "WELCOME-B2")
    circuit.publish(rows)
    first = run_dag("flow/welcome")

    assert first["state"] == "success"
    assert first["results"]["trigger"]["occurrences"] == 5
    ended = {3: "no_consent", 4: "expired", 5: "unreachable"}
    steps = ("hello", "story", "voucher", "for_you")
    assert circuit.reasons() == {
        (step, f"shop-{number}"): ended.get(
            number, {"hello": "planned", "story": "not_due"}.get(step, "previous_step_open")
        )
        for step in steps
        for number in (1, 2, 3, 4, 5)
    }
    assert [mail["To"] for mail in circuit.mails()] == ["person1@example.org", "person2@example.org"]
    assert first["results"]["account"]["hello"] == {
        "decided": {"expired": 1, "unreachable": 1, "no_consent": 1, "planned": 2},
        "messages": {"accepted": 2},
    }

    assert run_dag("flow/welcome")["state"] == "success"
    assert len(circuit.mails()) == 2, "the same build again sends nothing"

    rows["conditions.ordered"] = [{"contact_id": "shop-2", "occurred_at": NOON + DAY}]
    for days in (3, 6, 10):
        circuit.publish(rows, NOON + days * DAY)
        run_dag("flow/welcome")
    reasons = circuit.reasons()
    assert [reasons[step, "shop-1"] for step in steps] == ["planned"] * 4
    # Who has ordered needs no voucher; for whom there is nothing to read gets nothing to read.
    assert [reasons[step, "shop-2"] for step in steps] == ["planned"] * 2 + ["condition_false"] * 2
    own = "".join(mails_of(circuit, 1))
    assert "https://shop.example/discount/WELCOME-A1?" in own
    assert "https://shop.example/beginners?" in own
    assert "WELCOME-" not in "".join(mails_of(circuit, 2))
    assert len(circuit.mails()) == 6


def test_a_dry_run_counts_and_sends_nothing(circuit, run_dag):
    circuit.publish({"core.contacts": [contact(1)], "triggers.subscribed": [subscribed(1, NOON)]})
    done = run_dag("flow/welcome", dry_run=True)
    assert done["state"] == "success"
    assert done["results"]["hello.decide"] == {"planned": 1}
    assert circuit.reasons() == {} and circuit.mails() == []


def test_without_a_build_the_trigger_says_what_to_do(circuit, run_dag, capfd):
    done = run_dag("flow/welcome")
    assert done["state"] == "failed"
    assert done["states"]["trigger"] == "failed"
    printed = capfd.readouterr()
    assert "run build_warehouse first" in printed.out + printed.err
