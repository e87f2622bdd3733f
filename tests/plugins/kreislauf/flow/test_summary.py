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
        "voucher": {
            "decided": {"planned": 1},
            "waiting": {"not_due": 1200},
            "messages": {"accepted": 1, "rejected": 1},
        },
    }
    assert note(account).splitlines() == [
        "**3 planned of 4 due**; messages: accepted 3, rejected 1",
        "",
        "- **hello**: 3 due; 2 planned; not_due 4, no_consent 1; messages: accepted 2",
        "- **voucher**: 1 due; 1 planned; not_due 1,200; messages: accepted 1, rejected 1",
    ]
    assert note({}) == ""


def test_the_note_of_a_dry_run_says_so():
    assert note({"hello": {"dry_run": {"planned": 1, "not_due": 1200}}}).splitlines() == [
        "**1 planned of 1 due** (dry run, nothing was written)",
        "",
        "- **hello**: 1 due; 1 planned; not_due 1,200",
    ]
