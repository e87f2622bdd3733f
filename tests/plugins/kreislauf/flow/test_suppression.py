"""One person's suppressions by hand: whom they stop, what may be taken back, and by whom."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select

from kreislauf.connections import Connection
from kreislauf.flow.suppression import act
from kreislauf.flow.testing import publish
from kreislauf.flow.why import NobodyFound
from kreislauf.ledger.schema import message, suppression
from kreislauf.ledger.store import Ledger, utc_now
from kreislauf.ledger.suppressions import is_suppressed, lift_within, suppress
from kreislauf.ledger.testing import plan_people
from kreislauf.warehouse.engines import Engine, engine_for

NOON = datetime(2026, 3, 10, 12, tzinfo=UTC)
MAIL, FORMER, NUMBER = "ada@example.org", "ada@former.example", "+49301234567"


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Engine:
    """Ada is a shop customer, a CRM contact and a former address; Bob, and somebody without an address."""
    made = engine_for(Connection("warehouse", "duckdb", str(tmp_path_factory.mktemp("warehouse"))))
    keys = [
        {"source": "shop", "source_id": "1", "record_id": "shop-1", "contact_id": "shop-1"},
        {"source": "crm", "source_id": "7", "record_id": "crm-7", "contact_id": "shop-1"},
        {"source": "mail", "source_id": FORMER, "record_id": "mail-f", "contact_id": "shop-1"},
        {"source": "shop", "source_id": "2", "record_id": "shop-2", "contact_id": "shop-2"},
        {"source": "shop", "source_id": "3", "record_id": "shop-3", "contact_id": "shop-3"},
    ]
    people = [
        {"contact_id": "shop-1", "email": MAIL, "phone": NUMBER, "crm_contact_id": "7"},
        {"contact_id": "shop-2", "email": "bob@example.org"},
        {"contact_id": "shop-3"},
    ]
    publish(made, NOON, {"core.contacts": people, "core.contact_keys": keys})
    return made


@pytest.fixture
def hand(any_ledger: Ledger, engine: Engine):
    """`hand("lift", "shop-1", reason="hard_bounce")` as the DAG does it."""

    def do(action: str, contact: str, run: str = "run-1", asked_at: datetime | None = None, **form):
        blank = {"channel": "all", "reason": None, "even_a_complaint": False, "undo_run": None}
        wanted = {"action": action, "contact": contact} | blank | form
        return act(any_ledger, engine, wanted, run, asked_at or utc_now())

    return do


def rows(ledger: Ledger) -> list:
    with ledger.read() as connection:
        return connection.execute(select(suppression).order_by(suppression.c.id)).all()


def is_stopped(ledger: Ledger, address: str, contact: str, channel: str = "email") -> bool:
    """Whether a marketing message would be kept back."""
    held_back = select(message.c.message_key).where(
        message.c.address == address,
        message.c.contact_id == contact,
        is_suppressed(message.c.address, message.c.contact_id, channel),
    )
    with ledger.read() as connection:
        return connection.execute(held_back).first() is not None


def planned(ledger: Ledger, contact: str, address: str) -> None:
    plan_people(ledger, [contact], address=address, run_id=f"{contact} {address}", occurrence=address)


def test_an_objection_stops_every_address_of_the_person_and_nobody_else(any_ledger, hand):
    # Written to as crm-7 before the records joined, and that message still waits.
    planned(any_ledger, "crm-7", FORMER)
    planned(any_ledger, "shop-1", "ada@new.example")
    planned(any_ledger, "shop-2", "bob@example.org")

    done = hand("suppress", "crm-7")

    assert done["changed"] > 0
    assert is_stopped(any_ledger, FORMER, "crm-7")
    assert is_stopped(any_ledger, "ada@new.example", "shop-1", "push")
    assert not is_stopped(any_ledger, "bob@example.org", "shop-2")
    assert {row.contact_id for row in rows(any_ledger)} == {"shop-1"}
    assert {(one["channel"], one["reason"]) for one in done["in_force"]} == {("all", "opt_out")}


def test_an_objection_to_one_channel_leaves_the_others(any_ledger, hand):
    hand("suppress", "shop-1", channel="sms")
    assert [(row.address, row.channel, row.reason) for row in rows(any_ledger)] == [
        (NUMBER, "sms", "opt_out")
    ]
    hand("suppress", "shop-1", channel="email")
    assert {row.address for row in rows(any_ledger) if row.channel == "email"} == {MAIL, FORMER}


def test_who_has_no_address_yet_is_stopped_all_the_same(any_ledger, hand):
    hand("suppress", "shop-3", channel="email")
    planned(any_ledger, "shop-3", "found@later.example")
    assert is_stopped(any_ledger, "found@later.example", "shop-3")


def test_again_and_at_once_is_nothing_new(any_ledger, hand):
    with ThreadPoolExecutor(2) as pool:
        counts = [
            done["changed"] for done in pool.map(lambda run: hand("suppress", "shop-1", run), ["r1", "r2"])
        ]
    assert sorted(counts) == [0, len(rows(any_ledger))]
    assert hand("suppress", "shop-1", "r1")["changed"] == 0

    suppress(any_ledger, [{"address": MAIL}], "hard_bounce", "event 1")
    with ThreadPoolExecutor(2) as pool:
        lifting = [
            pool.submit(hand, "lift", "shop-1", run, reason="hard_bounce", channel="email")
            for run in ("r3", "r4")
        ]
    assert sorted(done.result()["changed"] for done in lifting) == [0, 1]


@pytest.mark.parametrize("contact", ["shop-1", "crm-7", "mail-f"])
def test_a_reason_is_lifted_under_any_id_and_the_row_says_by_whom(any_ledger, hand, contact):
    suppress(any_ledger, [{"address": MAIL, "contact_id": "crm-7"}], "unengaged", "list_cleanup q1")
    suppress(any_ledger, [{"address": FORMER}], "unengaged", "list_cleanup q1")
    suppress(any_ledger, [{"address": MAIL}], "soft_bounce", "list_cleanup q1")
    suppress(any_ledger, [{"address": NUMBER}], "hard_bounce", "event 1", "sms")

    done = hand("lift", contact, reason="unengaged", channel="email")

    assert done["changed"] == 2
    lifted = [row for row in rows(any_ledger) if row.lifted_at]
    assert {(row.reason, row.lifted_by) for row in lifted} == {("unengaged", "by hand run-1")}
    assert [one["reason"] for one in done["in_force"]] == ["soft_bounce", "hard_bounce"]
    assert done["lifted"][0]["until"] >= done["lifted"][0]["since"]
    assert hand("lift", contact, reason="hard_bounce")["changed"] == 1  # wherever it stands


def test_only_what_is_about_the_person_is_lifted(any_ledger, hand):
    """An address that two share: the other one stays a duplicate."""
    suppress(any_ledger, [{"address": MAIL, "contact_id": "shop-9"}], "duplicate", "list_cleanup q1")
    suppress(any_ledger, [{"address": "bob@example.org"}], "hard_bounce", "event 1")
    for reason in ("duplicate", "hard_bounce"):
        with pytest.raises(LookupError, match=f"never suppressed for {reason} on all; in force: nothing"):
            hand("lift", "shop-1", reason=reason)
    assert not any(row.lifted_at for row in rows(any_ledger))


def test_a_complaint_needs_the_tick(any_ledger, hand):
    suppress(any_ledger, [{"address": MAIL}], "complaint", "event 1")
    with pytest.raises(ValueError, match="Even a complaint"):
        hand("lift", "shop-1", reason="complaint")
    assert hand("lift", "shop-1", reason="complaint", even_a_complaint=True)["changed"] == 1


def test_an_objection_is_only_the_persons_own_to_take_back(any_ledger, hand):
    hand("suppress", "shop-1", channel="email")
    with pytest.raises(ValueError, match="only the person's own click"):
        hand("lift", "shop-1", reason="opt_out", even_a_complaint=True)
    assert not any(row.lifted_at for row in rows(any_ledger))
    with any_ledger.write() as connection:
        assert lift_within(connection, MAIL, "email", "web confirm", utc_now()) == 1


def test_what_came_after_the_run_was_asked_for_stays(any_ledger, hand):
    """Somebody clears an old run; the address has bounced again meanwhile."""
    asked_at = utc_now() - timedelta(minutes=1)
    suppress(any_ledger, [{"address": MAIL}], "hard_bounce", "event 2")
    assert hand("lift", "shop-1", asked_at=asked_at, reason="hard_bounce")["changed"] == 0
    assert rows(any_ledger)[0].lifted_at is None


def test_a_lifted_address_is_suppressed_again_by_a_new_bounce(any_ledger, hand):
    suppress(any_ledger, [{"address": MAIL}], "hard_bounce", "event 1")
    hand("lift", "shop-1", reason="hard_bounce")
    assert suppress(any_ledger, [{"address": MAIL}], "hard_bounce", "event 1") == 0
    assert suppress(any_ledger, [{"address": MAIL}], "hard_bounce", "event 2") == 1


def test_naming_the_wrong_person_is_undone_by_the_run(any_ledger, hand):
    suppress(any_ledger, [{"address": MAIL}], "opt_out", "web 1", "all")  # her own, which stays
    hand("suppress", "shop-1", "mistake")
    with pytest.raises(LookupError, match="nothing of this person"):
        hand("undo", "shop-2", undo_run="mistake")
    assert hand("undo", "shop-1", undo_run="mistake")["changed"] > 0
    assert [row.source for row in rows(any_ledger) if row.lifted_at is None] == ["web 1"]
    assert hand("undo", "shop-1", undo_run="mistake")["changed"] == 0
    # A cleared task does not make the mistake again.
    assert hand("suppress", "shop-1", "mistake")["changed"] == 0


def test_what_is_not_clear_is_refused_and_nothing_is_told_of_it(any_ledger, hand):
    with pytest.raises(ValueError, match="name the reason"):
        hand("lift", "shop-1")
    with pytest.raises(ValueError, match="name the run"):
        hand("undo", "shop-1")
    with pytest.raises(ValueError, match="'fax' is not one of"):
        hand("suppress", "shop-1", channel="fax")
    with pytest.raises(ValueError, match="'explode' is not one of"):
        hand("explode", "shop-1")
    with pytest.raises(NobodyFound) as refused:
        hand("suppress", "eve@example.org")
    assert "eve" not in str(refused.value)
    assert rows(any_ledger) == []


def test_a_report_changes_nothing_and_names_no_address(any_ledger, hand):
    suppress(any_ledger, [{"address": MAIL}, {"address": FORMER}], "hard_bounce", "event 1")
    before = rows(any_ledger)
    told = hand("report", "shop-1")
    assert rows(any_ledger) == before
    assert (told["changed"], told["lifted"]) == (0, [])
    assert [one["reason"] for one in told["in_force"]] == ["hard_bounce"]
    assert "@" not in str(told)
