"""People who have gone quiet: what they get, what they want; any sign of life ends it."""

from __future__ import annotations

from tests.dags.flow.shop_journeys import DAY, NOON, contact, mails_of


def test_two_mails_a_week_apart_until_somebody_is_back(circuit, run_dag):
    numbers = range(1, 17)
    rows = {
        "core.contacts": [contact(number) for number in numbers],
        "triggers.gone_quiet": [
            {"contact_id": f"shop-{number}", "occurrence_id": "2025-12-10", "occurred_at": NOON - 20 * DAY}
            for number in numbers
        ],
    }
    circuit.publish(rows)
    run_dag("flow/reengagement")
    subjects = {str(mail["Subject"]) for mail in circuit.mails()}
    assert subjects == {
        "Lange nichts gehört",
        "Was Sie in letzter Zeit verpasst haben",
        "It has been a while",
        "What you have missed lately",
    }, "both subjects are tried in both languages"

    rows["conditions.engaged"] = [
        {"contact_id": "shop-1", "occurred_at": NOON + DAY},
        # A sign of life from before the silence is none now.
        {"contact_id": "shop-2", "occurred_at": NOON - 90 * DAY},
    ]
    circuit.publish(rows, NOON + 7 * DAY)
    run_dag("flow/reengagement")
    reasons = circuit.reasons()
    assert reasons["preferences", "shop-1"] == "goal_reached"
    assert reasons["preferences", "shop-2"] == "planned"
    assert len(mails_of(circuit, 1)) == 1
    assert "/preferences?interest=tea" in mails_of(circuit, 2)[1] + mails_of(circuit, 2)[0]
