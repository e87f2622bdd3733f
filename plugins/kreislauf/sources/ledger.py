"""Our own ledger as a source: what was decided and sent, for the warehouse."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Select, Table, case, func, select

from kreislauf.landing.manifest import Manifest, Window, iso, parse
from kreislauf.ledger.schema import (
    Channel,
    audience_member,
    batch,
    consent,
    decision,
    event,
    message,
    push_subscription,
    suppression,
    template_link,
)
from kreislauf.ledger.store import Ledger
from kreislauf.sources.base import Position, line
from kreislauf.sources.streams import Stream

ROWS_AT_A_TIME = 2_000


class LedgerSource:
    """Rows of the ledger that were written since the last time, by the ledger's own clock.

    The ledger is stamped with real time, whatever moment the circuit replays: so its position is
    kept as a cursor, and the window's moments are not used.
    """

    api_version = None
    goes_by_window = False

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._began: datetime | None = None

    def now(self) -> None:
        """No clock: what is there is read."""

    def read(self, stream: Stream, window: Window, last: Manifest | None) -> Iterator[bytes]:
        self._began = datetime.now(UTC)
        cursor = parse(last.cursor) if last else None
        statement, updated_at = _STATEMENTS[stream.name]()
        if cursor and window.since and last:
            # A window that reaches further back than the overlap was asked for: then read everything.
            is_asked_again = window.since < last.window.until - stream.overlap
            statement = (
                statement if is_asked_again else statement.where(updated_at >= cursor - stream.overlap)
            )
        with self._ledger.read() as connection:
            rows = connection.execution_options(yield_per=ROWS_AT_A_TIME).execute(statement)
            for row in rows.mappings():
                yield line({name: _plain(value) for name, value in row.items()})

    def position(self) -> Position:
        return Position(cursor=iso(self._began))

    def committed(self) -> None:
        """Nothing to tidy up."""


def _plain(value: Any) -> Any:
    return iso(value) if isinstance(value, datetime) else value


def _messages() -> tuple[Select[Any], Any]:
    # A message changes with its batch: the later of the two moments counts.
    updated_at = case(
        (batch.c.updated_at > message.c.updated_at, batch.c.updated_at), else_=message.c.updated_at
    )
    columns = (
        message.c.message_key.label("id"),
        message.c.flow,
        message.c.step,
        batch.c.variant,
        message.c.channel,
        message.c.contact_id,
        message.c.occurrence_id,
        message.c.batch_id,
        func.coalesce(message.c.outcome, batch.c.state).label("state"),
        message.c.outcome_reason.label("reason"),
        message.c.planned_as_of,
        message.c.send_at,
        batch.c.answered_at,
        updated_at.label("updated_at"),
    )
    statement = select(*columns).join(batch, batch.c.id == message.c.batch_id)
    return statement.order_by(updated_at, message.c.message_key), updated_at


def _decisions() -> tuple[Select[Any], Any]:
    names = (
        *("id", "flow", "flow_version", "policy_version", "step", "channel", "contact_id"),
        *("occurrence_id", "occurred_at", "variant", "reason", "is_final", "due_at", "send_at"),
        *("as_of", "inputs_until", "updated_at"),
    )
    return _rows(decision, "id", names)


def _suppressions() -> tuple[Select[Any], Any]:
    names = (
        *("id", "address", "contact_id", "channel", "topic", "reason", "source"),
        *("created_at", "lifted_at", "updated_at"),
    )
    return _rows(suppression, "id", names)


def _events() -> tuple[Select[Any], Any]:
    names = ("event_id", "type", "bounce_type", "message_key", "occurred_at", "recorded_at")
    statement, recorded_at = _rows(event, "event_id", names)
    of_message = message.c.message_key == event.c.message_key
    return statement.join(message, of_message).where(message.c.channel != Channel.EMAIL.value), recorded_at


def _consents() -> tuple[Select[Any], Any]:
    names = (
        *("id", "address", "contact_id", "channel", "topic", "state", "legal_basis"),
        *("occurred_at", "recorded_at"),
    )
    return _rows(consent, "id", names)


def _push_subscriptions() -> tuple[Select[Any], Any]:
    names = ("id", "visitor_id", "contact_id", "created_at", "revoked_at", "updated_at")
    return _rows(push_subscription, "id", names)


def _audience_members() -> tuple[Select[Any], Any]:
    names = ("audience", "contact_id", "entered_at", "left_at", "updated_at")
    return _rows(audience_member, "contact_id", names)


def _rows(table: Table, key: str, names: Sequence[str]) -> tuple[Select[Any], Any]:
    """These columns of a table, and when a row last changed: what is only ever added was recorded once."""
    changed_at = table.c.updated_at if "updated_at" in table.c else table.c.recorded_at
    labels = {"event_id": "id", "recorded_at": "updated_at"}
    columns = [table.c[name].label(labels.get(name, name)) for name in names]
    return select(*columns).order_by(changed_at, table.c[key]), changed_at


def _links() -> tuple[Select[Any], Any]:
    # What was sent with a link: the batches of its template's version.
    names = ("flow", "step", "variant", "language", "template_version")
    sent = [batch.c[name] for name in names]
    link = [template_link.c[name] for name in ("slot", "kind", "target", "label")]
    updated_at = func.max(batch.c.updated_at).label("updated_at")
    same_version = (template_link.c.template == batch.c.template) & (
        template_link.c.template_version == batch.c.template_version
    )
    statement = (
        select(*sent, *link, updated_at)
        .join(batch, same_version)
        .group_by(*sent, *link)
        .order_by(updated_at, *sent, template_link.c.slot)
    )
    return statement, batch.c.updated_at


_STATEMENTS = {
    "messages": _messages,
    "decisions": _decisions,
    "suppressions": _suppressions,
    "links": _links,
    "events": _events,
    "consents": _consents,
    "push_subscriptions": _push_subscriptions,
    "audience_members": _audience_members,
}
