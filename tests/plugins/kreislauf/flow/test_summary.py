"""The table in the log and the note on the run."""

from __future__ import annotations

from kreislauf.flow.summary import due, note, table

COUNTS = {"planned": 5, "not_due": 3, "no_consent": 4, "previous_step_open": 1, "decided_before": 7}


def test_due_is_who_came_to_a_decision():
    assert due(COUNTS) == 9


def test_the_table():
    assert table({"reminder": COUNTS, "last_call": {}}).splitlines() == [
        "step       asked  due  planned  and the others",
        "reminder      20    9        5  decided_before 7, no_consent 4, not_due 3, previous_step_open 1",
        "last_call      0    0        0",
    ]


def test_the_note():
    account = {
        "hello": {
            "decided": {"planned": 2, "no_consent": 1},
            "waiting": {"not_due": 4},
            "messages": {"accepted": 2},
        },
        "voucher": {"dry_run": {"not_due": 1200}},
    }
    assert note(account).splitlines() == [
        "- **hello**: 3 due; 2 planned; not_due 4, no_consent 1; messages: accepted 2",
        "- **voucher** (dry run, nothing was written): 0 due; 0 planned; not_due 1,200",
    ]
    assert note({}) == ""
