"""One person's suppressions, by hand: what there is, stop writing, take a reason back.

Called with any id of the person. What is told has reasons, channels and moments, never an address.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import ColumnElement, and_, select

from kreislauf.flow.why import Person, find
from kreislauf.ledger.schema import Channel, SuppressionReason, message, suppression
from kreislauf.ledger.store import Ledger
from kreislauf.ledger.suppressions import (
    EVERY_CHANNEL,
    LIFTED_BY_HAND,
    OWN_RECORDS,
    is_about,
    lift,
    lift_by_hand,
    suppress,
)

if TYPE_CHECKING:
    from kreislauf.warehouse.engines.base import Engine

CHANNELS = (EVERY_CHANNEL, *(str(one) for one in (Channel.EMAIL, Channel.SMS, Channel.PUSH, Channel.ONSITE)))
ACTIONS = ("report", "lift", "suppress", "undo")


def act(
    ledger: Ledger,
    engine: Engine | None,
    wanted: Mapping[str, Any],
    run_id: str,
    asked_at: datetime,
) -> dict[str, Any]:
    """Do what a form says (dags/maintain/suppression.py), and tell how things stand then.

    `changed` counts rows: a person with two addresses has two. Raises NobodyFound, or LookupError and
    ValueError that say what cannot be done, and why.
    """
    contact, channel, by = wanted["contact"], wanted["channel"], source(run_id)
    match wanted["action"]:
        case "lift":
            even = wanted["even_a_complaint"]
            changed = take_back(ledger, engine, contact, wanted["reason"], channel, by, asked_at, even)
        case "suppress":
            changed = stop(ledger, engine, contact, channel, by)
        case "undo":
            if not wanted["undo_run"]:
                raise ValueError("to undo, name the run of this DAG that suppressed the wrong person")
            changed = undo(ledger, engine, contact, source(wanted["undo_run"]), by)
        case "report":
            changed = 0
        case other:
            raise ValueError(f"{other!r} is not one of {', '.join(ACTIONS)}")
    return {"changed": changed} | report(ledger, engine, contact)


def source(run_id: str) -> str:
    """How a run is named in the ledger."""
    return f"by hand {run_id}"[:128]


def report(ledger: Ledger, engine: Engine | None, contact: str) -> dict[str, Any]:
    """`in_force` and `lifted`: channel, reason and since (until) of each of the person's suppressions.

    `contact` is the id of the person or of one of their records. Raises NobodyFound.
    """
    rows = _rows(ledger, _whose(ledger, engine, contact))
    return {
        "in_force": _told([row for row in rows if row.lifted_at is None], ("since",)),
        "lifted": _told([row for row in rows if row.lifted_at is not None], ("since", "until")),
    }


def stop(ledger: Ledger, engine: Engine | None, contact: str, channel: str, by: str) -> int:
    """The person objects: suppress it on a channel, or on all (`all`); return how many are new.

    Every address that the channel knows, now or from earlier messages, has a row of its own, so that the
    person's own click takes it back. `by` names the run. Raises NobodyFound.
    """
    _check(channel)
    person = find(ledger, engine, contact)
    # Where no address is known yet, the contact id says who is meant.
    addresses = {
        address
        for known, address in _addresses(ledger, engine, person)
        if known == channel or (channel == EVERY_CHANNEL and known not in OWN_RECORDS)
    }
    rows = [
        {"address": address, "contact_id": person.contact_id}
        for address in sorted(addresses or {person.contact_id})
    ]
    return suppress(ledger, rows, SuppressionReason.OPT_OUT, by, channel)


def take_back(
    ledger: Ledger,
    engine: Engine | None,
    contact: str,
    reason: str | None,
    channel: str,
    by: str,
    until: datetime,
    even_a_complaint: bool = False,
) -> int:
    """Lift a reason on a channel, or on all (`all`); return how many. `by` and `until`: see `lift_by_hand`.

    Raises NobodyFound, ValueError for what cannot be lifted, and LookupError if the person was never
    suppressed for it.
    """
    _check(channel)
    if not reason:
        raise ValueError(f"to lift, name the reason: {', '.join(sorted(LIFTED_BY_HAND))}")
    if reason == SuppressionReason.COMPLAINT and not even_a_complaint:
        raise ValueError(
            "the person reported a mail as spam, which mailbox providers count; if it asked for mails since, "
            "tick 'Even a complaint'"
        )
    whose = _whose(ledger, engine, contact)
    lifted = lift_by_hand(ledger, whose, reason, channel, by, until)
    if not lifted:
        rows = _rows(ledger, whose)
        if not any(row.reason == reason and channel in (row.channel, EVERY_CHANNEL) for row in rows):
            there = sorted({f"{row.reason} ({row.channel})" for row in rows if row.lifted_at is None})
            raise LookupError(
                f"the person was never suppressed for {reason} on {channel}; in force: "
                f"{', '.join(there) or 'nothing'}"
            )
    return lifted


def undo(ledger: Ledger, engine: Engine | None, contact: str, mistaken: str, by: str) -> int:
    """Take back what a run suppressed because it named the wrong person; return how many.

    `mistaken` is the `by` of that run. Raises NobodyFound, and LookupError if it has not suppressed this one.
    """
    whose = _whose(ledger, engine, contact)
    if not _rows(ledger, and_(whose, suppression.c.source == mistaken)):
        raise LookupError(f"{mistaken!r} has suppressed nothing of this person; check the run's id")
    return lift(ledger, mistaken, by)


def _check(channel: str) -> None:
    if channel not in CHANNELS:
        raise ValueError(f"{channel!r} is not one of {', '.join(CHANNELS)}")


def _whose(ledger: Ledger, engine: Engine | None, contact: str) -> ColumnElement[bool]:
    person = find(ledger, engine, contact)
    return is_about(person.records, {address for _, address in _addresses(ledger, engine, person)})


def _rows(ledger: Ledger, where: ColumnElement[bool]) -> Sequence[Any]:
    with ledger.read() as connection:
        return connection.execute(select(suppression).where(where)).all()


def _told(rows: Sequence[Any], moments: Sequence[str]) -> list[dict[str, str]]:
    """Each but once: a person may have several addresses."""
    columns = {"since": "created_at", "until": "lifted_at"}
    told = {
        (row.channel, row.reason, *(getattr(row, columns[name]).isoformat() for name in moments))
        for row in rows
    }
    return [dict(zip(("channel", "reason", *moments), one, strict=True)) for one in sorted(told)]


def _addresses(ledger: Ledger, engine: Engine | None, person: Person) -> set[tuple[str, str]]:
    """Channel and address of all that the person is, or was, known under."""
    sent = select(message.c.channel, message.c.address).where(message.c.contact_id.in_(person.records))
    with ledger.read() as connection:
        found = set(connection.execute(sent.distinct()).tuples())
    return found | set(_in_warehouse(engine, person) if engine else ())


_KNOWN = {
    "core.reach": "select channel, address from core.reach where contact_id = :contact_id",
    "core.contacts": "select 'email' as channel, email as address from core.contacts "
    "where contact_id = :contact_id and email is not null",
    "core.contact_keys": "select 'email' as channel, source_id as address from core.contact_keys "
    "where contact_id = :contact_id and source = 'mail'",
}


def _in_warehouse(engine: Engine, person: Person) -> list[tuple[str, str]]:
    build = engine.published()
    return [
        (row["channel"], row["address"])
        for table, sql in _KNOWN.items()
        if build and table in build.tables
        for row in engine.query(sql, {"contact_id": person.contact_id})
    ]
