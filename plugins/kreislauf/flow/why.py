"""Why a person got a message, and why not: every decision about the person, with what it rests on.

The decisions, messages, events, consents and suppressions are the ledger's. The warehouse's published
build tells which records are one person, the time zone, and what the shop and the CRM know of consents.
What is said names contact ids only, never an address.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import ColumnElement, Table, func, or_, select

from kreislauf.flow import files
from kreislauf.ledger.schema import batch, consent, decision, event, message, suppression
from kreislauf.ledger.store import Ledger

if TYPE_CHECKING:
    from kreislauf.warehouse.engines.base import Engine


class NobodyFound(LookupError):
    """Nobody is known by what was given. The text does not repeat it: it may be an address."""


@dataclass(frozen=True)
class Person:
    """A person by all names: `records` are all ids under which decisions may stand.

    `contact_id` is today's, `timezone` the person's own ("UTC" where none is known).
    """

    contact_id: str
    records: tuple[str, ...]
    timezone: str = "UTC"
    addresses: tuple[str, ...] = field(default=(), repr=False)


@dataclass(frozen=True)
class Statement:
    """What the person had said about being written to; `said_at` aware."""

    channel: str
    topic: str
    state: str
    basis: str | None
    source: str
    said_at: datetime


@dataclass(frozen=True)
class Told:
    """One decision with what it rests on and what became of it.

    :param decision: the row of the ledger's table
    :param message: of a planned one: state, reason, answered_at, send_at
    :param events: type, occurred_at, is_machine_open; oldest first
    :param consents: the last statement on each channel and topic, as it was known then
    :param suppressions: those in force then: channel, reason, created_at
    """

    decision: Any
    message: Any = None
    events: Sequence[Any] = ()
    consents: Sequence[Statement] = ()
    suppressions: Sequence[Any] = ()


def find(ledger: Ledger, engine: Engine | None, given: str) -> Person:
    """The person with this contact id, record id, visitor id or e-mail address.

    Raises NobodyFound.
    """
    given = given.strip()
    address = given.lower()
    known = _in_warehouse(engine, given, address) if engine else None
    contact_id, records, timezone, addresses = known or (None, set(), "UTC", set())
    with ledger.read() as connection:
        if contact_id is None:
            decided = select(decision.c.contact_id).where(decision.c.contact_id == given)
            sent = select(message.c.contact_id).where(message.c.address == address)
            records = set(connection.scalars(decided.union(sent)))
        if not records:
            raise NobodyFound(
                "nobody is known by that; give a contact id (such as shop-1042), the id of one of the "
                "person's records or browsers, or an e-mail address"
            )
        mine = select(message.c.address).where(message.c.contact_id.in_(records))
        addresses |= set(connection.scalars(mine))
    return Person(contact_id or min(records), tuple(sorted(records)), timezone, tuple(sorted(addresses)))


def decisions(ledger: Ledger, engine: Engine | None, person: Person, flow: str | None = None) -> list[Told]:
    """Every decision about the person, newest first; of one flow only, if it is named."""
    which = [decision.c.contact_id.in_(person.records)]
    which += [decision.c.flow == flow] if flow else []
    statements = list(_consents_of_sources(engine, person)) if engine else []
    order = [decision.c.as_of.desc(), decision.c.updated_at.desc(), decision.c.id.desc()]
    with ledger.read() as connection:
        rows = connection.execute(select(decision).where(*which).order_by(*order)).all()
        messages = {_key(row): row for row in connection.execute(_messages(person))}
        events: dict[str, list[Any]] = {}
        for row in connection.execute(_events(person)):
            events.setdefault(row.message_key, []).append(row)
        own = connection.execute(select(consent).where(_is_about(consent, person))).all()
        suppressed = connection.execute(select(suppression).where(_is_about(suppression, person))).all()
    told = []
    for row in rows:
        sent = messages.get(_key(row))
        told.append(
            Told(
                row,
                sent,
                events.get(sent.message_key, ()) if sent else (),
                _latest([*(s for s in statements if s.said_at <= row.as_of), *_stated(own, row.updated_at)]),
                [one for one in suppressed if _is_in_force(one, row.updated_at)],
            )
        )
    return told


def flow_named(ledger: Ledger, given: str) -> str:
    """The name in the ledger of a flow, by its DAG's id or its file's name, or of a campaign by its DAG's id.

    Raises LookupError that lists those that there are.
    """
    try:
        return files.find(given).name
    except LookupError as error:
        with ledger.read() as connection:
            campaigns = connection.scalars(
                select(decision.c.flow).where(decision.c.flow.startswith("campaign_")).distinct()
            ).all()
        if given in campaigns:
            return given
        raise LookupError(", ".join([error.args[0], *sorted(campaigns)])) from None


def last_decided(ledger: Ledger, flow: str) -> datetime | None:
    """The moment as of which the flow decided last, about anybody; None: never."""
    with ledger.read() as connection:
        asked = select(func.max(decision.c.as_of)).where(decision.c.flow == flow)
        return connection.execute(asked).scalar_one()


# ------------------------------------------------------------------------------------ the warehouse

_CONTACTS = {
    "core.contact_keys": "select contact_id from core.contact_keys "
    "where record_id = :given or (source = 'mail' and source_id = :address)",
    "core.contacts": "select contact_id from core.contacts where contact_id = :given or email = :address",
    "core.visitor_keys": "select contact_id from core.visitor_keys where visitor_id = :given",
}
_RECORDS = {
    "core.contact_keys": "select record_id from core.contact_keys where contact_id = :contact_id",
    "core.visitor_keys": "select visitor_id as record_id from core.visitor_keys "
    "where contact_id = :contact_id",
}


def _in_warehouse(engine: Engine, given: str, address: str) -> tuple[str, set[str], str, set[str]] | None:
    found = _ask(engine, _CONTACTS, {"given": given, "address": address})
    if not found:
        return None
    contact_id = min(row["contact_id"] for row in found)
    of_person = {"contact_id": contact_id}
    records = {row["record_id"] for row in _ask(engine, _RECORDS, of_person)} | {contact_id}
    person = {"core.contacts": "select timezone, email from core.contacts where contact_id = :contact_id"}
    reach = {"core.reach": "select address from core.reach where contact_id = :contact_id"}
    rows = _ask(engine, person, of_person)
    timezone = next((row["timezone"] for row in rows if row["timezone"]), "UTC")
    addresses = {row["address"] for row in _ask(engine, reach, of_person)}
    return (
        contact_id,
        records,
        timezone,
        addresses | {row["email"] for row in rows if row["email"]},
    )


def _consents_of_sources(engine: Engine, person: Person) -> Iterable[Statement]:
    statement = {"core.consents": "select * from core.consents where contact_id = :contact_id"}
    for row in _ask(engine, statement, {"contact_id": person.contact_id}):
        if row["occurred_at"] is not None:
            yield Statement(
                row.get("channel") or "email",
                row.get("topic") or "marketing",
                row["state"],
                row["basis"],
                row["source"],
                row["occurred_at"].replace(tzinfo=UTC),
            )


def _ask(engine: Engine, statements: Mapping[str, str], given: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The rows of all statements whose table is in the published build; none without a build."""
    build = engine.published()
    there = [sql for table, sql in statements.items() if build and table in build.tables]
    return [row for sql in there for row in engine.query(sql, given)]


# --------------------------------------------------------------------------------------- the ledger

_KEY = ("flow", "step", "contact_id", "occurrence_id")


def _key(row: Any) -> tuple[str, ...]:
    return tuple(getattr(row, name) for name in _KEY)


def _messages(person: Person) -> Any:
    return (
        select(
            *(message.c[name] for name in (*_KEY, "message_key", "send_at", "outcome_reason")),
            func.coalesce(message.c.outcome, batch.c.state).label("state"),
            batch.c.answered_at,
            batch.c.template,
        )
        .join(batch, batch.c.id == message.c.batch_id)
        .where(message.c.contact_id.in_(person.records))
    )


def _events(person: Person) -> Any:
    return (
        select(event.c.message_key, event.c.type, event.c.occurred_at, event.c.is_machine_open)
        .join(message, message.c.message_key == event.c.message_key)
        .where(message.c.contact_id.in_(person.records))
        .order_by(event.c.occurred_at, event.c.event_id)
    )


def _is_about(table: Table, person: Person) -> ColumnElement[bool]:
    return or_(table.c.contact_id.in_(person.records), table.c.address.in_(person.addresses))


def _stated(rows: Iterable[Any], then: datetime) -> list[Statement]:
    """What had been said to us by that moment of our own clock."""
    return [
        Statement(row.channel, row.topic, row.state, row.legal_basis, row.source, row.occurred_at)
        for row in rows
        if row.recorded_at <= then
    ]


def _latest(statements: Iterable[Statement]) -> list[Statement]:
    newest: dict[tuple[str, str], Statement] = {}
    for one in sorted(statements, key=lambda one: (one.said_at, one.source)):
        newest[one.channel, one.topic] = one
    return [newest[key] for key in sorted(newest)]


def _is_in_force(row: Any, then: datetime) -> bool:
    return row.created_at <= then and (row.lifted_at is None or row.lifted_at > then)
