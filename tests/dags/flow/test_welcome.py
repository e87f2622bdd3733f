"""The welcome flow from the trigger to the mail, in Airflow."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

NOON = datetime(2026, 3, 10, 12, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def contact(number: int, **different) -> dict:
    person = {
        "contact_id": f"shop-{number}",
        "email": f"person{number}@example.org",
        "language": "de" if number % 2 else "en",
        "first_name": "Ada",
        "last_name": "Lovelace",
        "email_consent": "granted",
    }
    return person | different


def subscribed(number: int, at: datetime) -> dict:
    return {"contact_id": f"shop-{number}", "occurrence_id": f"{at:%Y-%m-%d}", "occurred_at": at}


def test_a_hello_at_once_and_a_voucher_two_days_later(circuit, run_dag):
    people = [contact(1), contact(2), contact(3, email_consent="revoked"), contact(4), contact(5, email=None)]
    rows = {
        "core.contacts": people,
        "triggers.subscribed": [subscribed(number, NOON - HOUR) for number in (1, 2, 3, 5)]
        + [subscribed(4, NOON - 9 * DAY)],
    }
    circuit.publish(rows)
    first = run_dag("flow/welcome")

    assert first["state"] == "success"
    assert first["results"]["trigger"]["occurrences"] == 5
    assert circuit.reasons() == {
        ("hello", "shop-1"): "planned",
        ("hello", "shop-2"): "planned",
        ("hello", "shop-3"): "no_consent",
        ("hello", "shop-4"): "expired",
        ("hello", "shop-5"): "unreachable",
        ("voucher", "shop-1"): "not_due",
        ("voucher", "shop-2"): "not_due",
        ("voucher", "shop-3"): "no_consent",
        ("voucher", "shop-4"): "expired",
        ("voucher", "shop-5"): "unreachable",
    }
    assert [mail["To"] for mail in circuit.mails()] == ["person1@example.org", "person2@example.org"]
    assert first["results"]["account"] == {
        "hello": {
            "decided": {"expired": 1, "unreachable": 1, "no_consent": 1, "planned": 2},
            "messages": {"accepted": 2},
        },
        "voucher": {
            "decided": {"expired": 1, "unreachable": 1, "no_consent": 1},
            "waiting": {"not_due": 2},
        },
    }

    again = run_dag("flow/welcome")
    assert again["state"] == "success"
    assert len(circuit.mails()) == 2, "the same build again sends nothing"

    later = NOON + 2 * DAY
    rows["conditions.ordered"] = [{"contact_id": "shop-2", "occurred_at": NOON + DAY}]
    circuit.publish(rows, later)
    run_dag("flow/welcome")
    reasons = circuit.reasons()
    assert reasons["voucher", "shop-1"] == "planned"
    assert reasons["voucher", "shop-2"] == "condition_false"
    assert len(circuit.mails()) == 3
    assert (
        "WELCOME10"
        in circuit.mails()[0].get_body(("plain",)).get_content()
        + circuit.mails()[1].get_body(("plain",)).get_content()
    )


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
