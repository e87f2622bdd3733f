"""Our own ledger as a source: what was decided and sent, for the warehouse."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Select, case, func, select

from kreislauf.landing.manifest import Manifest, Window, iso, parse
from kreislauf.ledger.schema import batch, decision, message, suppression, template_link
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
        message.c.contact_id,
        message.c.occurrence_id,
        message.c.batch_id,
        func.coalesce(message.c.outcome, batch.c.state).label("state"),
        message.c.outcome_reason.label("reason"),
        message.c.planned_as_of,
        batch.c.answered_at,
        updated_at.label("updated_at"),
    )
    statement = select(*columns).join(batch, batch.c.id == message.c.batch_id)
    return statement.order_by(updated_at, message.c.message_key), updated_at


def _decisions() -> tuple[Select[Any], Any]:
    names = ("id", "flow", "step", "contact_id", "occurrence_id", "variant", "reason", "as_of", "updated_at")
    statement = select(*(decision.c[name] for name in names))
    return statement.order_by(decision.c.updated_at, decision.c.id), decision.c.updated_at


def _suppressions() -> tuple[Select[Any], Any]:
    names = (
        *("id", "address", "contact_id", "channel", "topic", "reason", "source"),
        *("created_at", "lifted_at", "updated_at"),
    )
    statement = select(*(suppression.c[name] for name in names))
    return statement.order_by(suppression.c.updated_at, suppression.c.id), suppression.c.updated_at


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
}
