"""What a person may do about sending."""

from __future__ import annotations

from datetime import timedelta

import pytest

from kreislauf.ledger.batches import claim, sweep
from kreislauf.ledger.store import utc_now
from kreislauf.ledger.switch import ACTIONS, act, report
from kreislauf.ledger.testing import plan_people


def _in_doubt(ledger) -> str:
    plan_people(ledger, ["c1", "c2"])
    assert claim(ledger, "flow_welcome", "hello", "run-1 try 1", utc_now())
    assert sweep(ledger, utc_now() + timedelta(seconds=1), lease=timedelta(0)) == 1
    (doubtful,) = report(ledger)["in_doubt"]
    return doubtful["batch"]


def test_pausing_and_resuming_show_in_the_report(ledger):
    act(ledger, "pause", "anna", "flow_welcome", "wrong voucher", None)
    act(ledger, "pause", "anna", "flow_welcome", "wrong voucher", None)
    assert report(ledger) == {"paused": {"flow_welcome": "wrong voucher"}, "in_doubt": []}
    assert ledger.is_paused("flow_welcome") and not ledger.is_paused("flow_abandoned_cart")

    act(ledger, "resume", "anna", "flow_welcome", None, None)
    assert report(ledger)["paused"] == {}


@pytest.mark.parametrize(
    ("action", "is_sendable"),
    [("settle as accepted", False), ("settle as rejected", False), ("send again", True)],
)
def test_a_batch_in_doubt_is_settled_once(ledger, action, is_sendable):
    batch_id = _in_doubt(ledger)
    assert [row["messages"] for row in report(ledger)["in_doubt"]] == [2]

    act(ledger, action, "anna", "all", None, batch_id)

    assert report(ledger)["in_doubt"] == []
    claimed = claim(ledger, "flow_welcome", "hello", "run-2 try 1", utc_now())
    assert bool(claimed) == is_sendable
    if not is_sendable:
        with pytest.raises(ValueError, match="not in doubt"):
            act(ledger, action, "anna", "all", None, batch_id)


def test_unclear_wishes_are_refused(ledger):
    with pytest.raises(ValueError, match="name the batch"):
        act(ledger, "send again", "anna", "all", None, None)
    with pytest.raises(ValueError, match="is not one of"):
        act(ledger, "explode", "anna", "all", None, None)
    assert ACTIONS[0] == "report"
