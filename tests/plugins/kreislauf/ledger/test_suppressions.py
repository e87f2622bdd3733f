"""Suppressing people, taking it back, and whom it stops."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from kreislauf.ledger.people import remember
from kreislauf.ledger.schema import SuppressionReason, message, suppression
from kreislauf.ledger.store import Ledger, utc_now
from kreislauf.ledger.suppressions import is_about, is_suppressed, lift, lift_by_hand, suppress
from kreislauf.ledger.testing import plan_people


def _stopped(ledger: Ledger) -> set[str]:
    """The planned contacts that a suppression stops."""
    condition = is_suppressed(message.c.address, message.c.contact_id)
    with ledger.read() as connection:
        return set(connection.execute(select(message.c.contact_id).where(condition)).scalars())


def test_again_is_nothing_new(ledger: Ledger) -> None:
    rows = [{"address": "Ada@Example.org"}, {"address": "ada@example.org "}, {"address": "bob@example.org"}]
    assert suppress(ledger, rows, "opt_out", "run-1") == 2
    assert suppress(ledger, rows, "opt_out", "run-2") == 0
    assert suppress(ledger, rows, SuppressionReason.UNENGAGED, "run-2") == 2


def test_lifting_takes_back_what_one_source_did(ledger: Ledger) -> None:
    plan_people(ledger, ["ada", "bob"])
    suppress(ledger, [{"address": "ada@example.org"}], "unengaged", "cleanup-1")
    suppress(ledger, [{"address": "ada@example.org"}, {"address": "bob@example.org"}], "opt_out", "web")
    assert lift(ledger, "cleanup-1", "eve") == 1
    assert _stopped(ledger) == {"ada", "bob"}
    assert lift(ledger, "web", "eve") == 2
    assert _stopped(ledger) == set()
    with ledger.read() as connection:
        rows = connection.execute(select(suppression)).all()
    assert len(rows) == 3
    assert all(row.lifted_by == "eve" and row.lifted_at for row in rows)


def test_a_repeated_task_does_not_undo_the_lifting_but_new_evidence_does(ledger: Ledger) -> None:
    plan_people(ledger, ["ada"])
    rows = [{"address": "ada@example.org"}]
    suppress(ledger, rows, "unengaged", "cleanup-1")
    lift(ledger, "cleanup-1", "eve")
    assert suppress(ledger, rows, "unengaged", "cleanup-1") == 0
    assert _stopped(ledger) == set()
    assert suppress(ledger, rows, "unengaged", "cleanup-2") == 1
    assert _stopped(ledger) == {"ada"}


@pytest.mark.parametrize(
    ("reason", "stopped"),
    [
        ("opt_out", {"ada", "ada-again"}),  # the person: every address of theirs
        ("hard_bounce", {"ada"}),  # the address: the person may have another one
        ("duplicate", {"ada-again"}),  # one contact of two: the other is kept
    ],
)
def test_a_reason_stops_a_person_an_address_or_a_contact(
    ledger: Ledger, reason: str, stopped: set[str]
) -> None:
    plan_people(ledger, ["ada", "ada-again", "bob"])
    suppress(ledger, [{"address": "ada@example.org", "contact_id": "ada-again"}], reason, "test")
    assert _stopped(ledger) == stopped


@pytest.mark.parametrize(
    ("reason", "stopped"),
    [("opt_out", {"ada"}), ("complaint", {"ada"}), ("hard_bounce", set()), ("duplicate", set())],
)
def test_an_objection_goes_on_when_its_record_joins_another(
    ledger: Ledger, reason: str, stopped: set[str]
) -> None:
    plan_people(ledger, ["ada", "bob", "eve"])
    suppress(ledger, [{"address": "former@example.org", "contact_id": "crm-7"}], reason, "test")
    assert _stopped(ledger) == set()
    with ledger.write() as connection:
        remember(connection, {"crm-7": "ada", "crm-8": "bob"})
    assert _stopped(ledger) == stopped
    lift(ledger, "test", "eve")
    assert _stopped(ledger) == set()


def test_an_unknown_reason_is_refused(ledger: Ledger) -> None:
    with pytest.raises(ValueError, match="boredom"):
        suppress(ledger, [{"address": "ada@example.org"}], "boredom", "test")


def test_by_hand_only_this_persons_reason_on_this_channel_is_lifted(ledger: Ledger) -> None:
    ada, bob = {"address": "ada@example.org", "contact_id": "ada"}, {"address": "bob@example.org"}
    suppress(ledger, [ada, bob], "unengaged", "cleanup-1")
    suppress(ledger, [ada], "soft_bounce", "cleanup-1")
    suppress(ledger, [ada], "unengaged", "import", channel="sms")
    whose = is_about({"ada"}, {"ada@example.org"})
    assert lift_by_hand(ledger, whose, "unengaged", "email", "eve", utc_now()) == 1
    assert lift_by_hand(ledger, whose, "unengaged", "email", "eve", utc_now()) == 0
    with ledger.read() as connection:
        left = connection.execute(select(suppression).where(suppression.c.lifted_at.is_(None))).all()
    assert {(row.address, row.reason, row.channel) for row in left} == {
        ("bob@example.org", "unengaged", "email"),
        ("ada@example.org", "soft_bounce", "email"),
        ("ada@example.org", "unengaged", "sms"),
    }


@pytest.mark.parametrize(("reason", "why"), [("opt_out", "own click"), ("boredom", "boredom")])
def test_by_hand_an_objection_is_not_lifted(ledger: Ledger, reason: str, why: str) -> None:
    suppress(ledger, [{"address": "ada@example.org"}], "opt_out", "web")
    with pytest.raises(ValueError, match=why):
        lift_by_hand(ledger, is_about((), {"ada@example.org"}), reason, "all", "eve", utc_now())
    with ledger.read() as connection:
        assert connection.execute(select(suppression.c.lifted_at)).scalar_one() is None
