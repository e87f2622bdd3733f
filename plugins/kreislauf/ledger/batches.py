"""The life of a batch: planned -> claimed -> accepted | rejected | in_doubt.

A claim is committed before anything is sent. What happens to its sender after that, the batch is
never claimed again by itself: only an answer that says "nothing was accepted" makes it planned
again. (id, attempt) is the token of a claim: an answer to an older one changes nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Protocol

from sqlalchemy import Connection, bindparam, func, or_, select, update

from kreislauf.ledger import events
from kreislauf.ledger.consents import is_revoked_since
from kreislauf.ledger.frequency import exceeding
from kreislauf.ledger.hours import Hours
from kreislauf.ledger.schema import (
    REPEATABLE,
    BatchState,
    Channel,
    Outcome,
    Reason,
    batch,
    message,
    template_link,
    voucher,
)
from kreislauf.ledger.split import split
from kreislauf.ledger.store import Ledger, insert_or_skip, paused, serialise, utc_now
from kreislauf.ledger.suppressions import is_suppressed

LEASE = timedelta(minutes=15)
"""A claim older than this has lost its sender. Longer than any request takes with its time-outs."""

MOST_ATTEMPTS = 10
"""How often a batch of a repeatable channel is offered before a person has to look at it."""


@dataclass(frozen=True)
class Claimed:
    """A batch that is ours to send, and the messages left in it after the last check."""

    id: str
    attempt: int
    flow: str
    step: str
    template: str
    language: str
    item_count: int
    messages: list[Any] = field(repr=False)
    """Rows of `message_key`, `contact_id`, `address`, `merge`, `expires_at`, `voucher_code`."""
    skipped: Counter[str] = field(default_factory=Counter)
    channel: Channel = Channel.EMAIL
    variant: str = ""


def claim(
    ledger: Ledger,
    flow: str,
    step: str,
    owner: str,
    now: datetime,
    as_of: datetime | None = None,
) -> Claimed | None:
    """Claim the oldest planned batch of a step; None if there is none, or the kill switch is set.

    With `as_of`, the circuit's clock, a batch for a later moment is not claimed, and one that is late goes
    back if it is night now where its people live. In the same
    transaction everything is asked again that may have changed since planning: suppression,
    revoked consent, the batch's frequency caps, and (with `as_of`) whether the message has expired.
    Messages that fail are `skipped` for good. A batch of which nothing is left is closed at once.
    """
    with ledger.write() as connection:
        while row := connection.execute(_claim_one(flow, step, owner, now, as_of)).first():
            if as_of is None or not _put_off(connection, row, as_of, now):
                break
        if row is None:
            return None
        if row.caps:
            serialise(connection, "claim")  # of two claims at once the second must count the first's messages
        skipped = _skip(connection, row, as_of, now)
        messages = _messages(connection, row.id)
        if not messages:
            reason = "no message was left: all were skipped at the claim"
            values = {"state": BatchState.REJECTED.value, "answered_at": now, "error": reason}
            connection.execute(update(batch).where(batch.c.id == row.id).values(values))
    return Claimed(
        row.id,
        row.attempt,
        flow,
        step,
        row.template,
        row.language,
        row.item_count,
        messages,
        skipped,
        Channel(row.channel),
        row.variant,
    )


class TemplateLink(Protocol):
    """A counted link of a template; see the table `template_link`."""

    slot: str
    kind: str
    target: str
    label: str


@dataclass(frozen=True)
class Verdict:
    """What an answer does to a claimed batch. `rejected`: message key -> reason."""

    state: BatchState
    http_status: int | None = None
    provider_message_id: str | None = None
    error: str | None = None
    not_before: datetime | None = None
    template_version: str | None = None
    links: Collection[TemplateLink] = ()
    rejected: Mapping[str, str] = field(default_factory=dict)
    in_doubt: Collection[str] = ()
    unsent: Collection[str] = ()
    effects: Callable[[Connection], None] | None = None
    """Written in the same transaction, if the claim is still ours: what the answer means elsewhere."""


def answer(ledger: Ledger, claimed: Claimed, verdict: Verdict) -> None:
    """Write down what became of a claimed batch.

    Messages in `in_doubt` and `unsent` leave it for a batch of their own (in doubt, planned): a
    transport that sends one by one can stop in the middle.
    """
    now = utc_now()
    with ledger.write() as connection:
        _remember_links(connection, claimed, verdict)
        _reject(connection, verdict.rejected, now)
        for keys, state in ((verdict.in_doubt, BatchState.IN_DOUBT), (verdict.unsent, BatchState.PLANNED)):
            if keys:
                left = {"error": verdict.error, "not_before": verdict.not_before}
                split(connection, claimed.id, keys, state, now, **left)
        answered = connection.execute(
            update(batch)
            .where(
                batch.c.id == claimed.id,
                batch.c.attempt == claimed.attempt,
                batch.c.state.in_([BatchState.CLAIMED.value, BatchState.IN_DOUBT.value]),
            )
            .values(
                state=verdict.state.value,
                answered_at=now,
                http_status=verdict.http_status,
                provider_message_id=verdict.provider_message_id,
                error=verdict.error,
                not_before=verdict.not_before,
                template_version=verdict.template_version,
                updated_at=now,
            )
        )
        if verdict.effects and answered.rowcount:
            verdict.effects(connection)
        events.settle(connection)


def approve(ledger: Ledger, flow: str, run_id: str, is_approved: bool) -> int:
    """A person's answer for the messages of a run that wait for it; return how many those are.

    What is refused is `skipped` as not approved, and its batches are closed.
    """
    now = utc_now()
    waiting = (batch.c.flow == flow, batch.c.run_id == run_id, batch.c.state == BatchState.WAITING.value)
    with ledger.write() as connection:
        ids = select(batch.c.id).where(*waiting)
        messages = select(func.count()).where(message.c.batch_id.in_(ids))
        found = connection.execute(messages).scalar_one()
        if not is_approved:
            refused = {"outcome": Outcome.SKIPPED.value, "outcome_reason": Reason.NOT_APPROVED.value}
            connection.execute(
                update(message).where(message.c.batch_id.in_(ids)).values(refused | {"updated_at": now})
            )
        state = BatchState.PLANNED if is_approved else BatchState.REJECTED
        error = None if is_approved else "a person did not approve it"
        values = {"state": state.value, "error": error, "updated_at": now}
        connection.execute(update(batch).where(*waiting).values(values))
    return found


def sweep(ledger: Ledger, now: datetime, lease: timedelta = LEASE) -> int:
    """Set batches to in doubt whose sender is gone; return how many are then still in doubt of them.

    An event that is already known settles such a batch at once. A batch of a repeatable channel is
    planned again, `MOST_ATTEMPTS` times at most.
    """
    is_repeatable = batch.c.channel.in_(sorted(REPEATABLE)) & (batch.c.attempt < MOST_ATTEMPTS)
    with ledger.write() as connection:
        gone = (batch.c.state == BatchState.CLAIMED.value, batch.c.claimed_at < now - lease)
        again = {"state": BatchState.PLANNED.value, "updated_at": now}
        connection.execute(update(batch).where(*gone, is_repeatable).values(again))
        swept = connection.execute(
            update(batch)
            .where(*gone)
            .values(
                state=BatchState.IN_DOUBT.value,
                error="its sender ended without an answer",
                updated_at=now,
            )
        ).rowcount
        return swept - events.settle(connection) if swept else 0


def resolve(ledger: Ledger, batch_id: str, as_: BatchState | str, by: str) -> None:
    """A person settles a batch in doubt: `accepted`, `rejected`, or `planned` to send it again.

    Raises ValueError if the batch is not in doubt or the state is none of the three.
    """
    state = BatchState(as_)
    if state not in {BatchState.ACCEPTED, BatchState.REJECTED, BatchState.PLANNED}:
        raise ValueError(f"a batch in doubt is settled as accepted, rejected or planned, not {state}")
    values = {"state": state.value, "settled_by": by, "updated_at": utc_now()}
    with ledger.write() as connection:
        in_doubt = (batch.c.id == batch_id, batch.c.state == BatchState.IN_DOUBT.value)
        if connection.execute(update(batch).where(*in_doubt).values(values)).rowcount == 0:
            raise ValueError(f"batch {batch_id} is not in doubt; nothing to settle")


def message_states(connection: Connection) -> list[Any]:
    """Rows `flow`, `step`, `state`, `reason`, `messages`: every message is in exactly one state.

    `state` is the message's own outcome (skipped, rejected), else its batch's state.
    """
    state = func.coalesce(message.c.outcome, batch.c.state).label("state")
    reason = func.coalesce(message.c.outcome_reason, "").label("reason")
    keys = [message.c.flow, message.c.step, state, reason]
    joined = message.join(batch, batch.c.id == message.c.batch_id)
    counted = select(*keys, func.count().label("messages")).select_from(joined)
    return list(connection.execute(counted.group_by(*keys).order_by(*keys)))


def due(ledger: Ledger, now: datetime, as_of: datetime) -> list[tuple[str, str, Channel]]:
    """The flows, steps and channels with batches that may be claimed: by our clock, and the circuit's."""
    columns = (batch.c.flow, batch.c.step, batch.c.channel)
    ready = select(*columns).where(
        batch.c.state == BatchState.PLANNED.value,
        batch.c.send_at <= as_of,
        or_(batch.c.not_before.is_(None), batch.c.not_before <= now),
    )
    with ledger.read() as connection:
        found = connection.execute(ready.distinct().order_by(*columns))
        return [(row.flow, row.step, Channel(row.channel)) for row in found]


def waiting(ledger: Ledger, flow: str, run_id: str) -> dict[str, int]:
    """How many messages of a run wait for a person's approval, by step."""
    mine = (batch.c.flow == flow, batch.c.run_id == run_id, batch.c.state == BatchState.WAITING.value)
    counted = select(message.c.step, func.count()).join(batch, batch.c.id == message.c.batch_id)
    with ledger.read() as connection:
        rows = connection.execute(counted.where(*mine).group_by(message.c.step).order_by(message.c.step))
        return dict(rows.tuples().all())


def _claim_one(flow: str, step: str, owner: str, now: datetime, as_of: datetime | None) -> Any:
    oldest = (
        select(batch.c.id)
        .where(
            batch.c.state == BatchState.PLANNED.value,
            batch.c.flow == flow,
            batch.c.step == step,
            or_(batch.c.not_before.is_(None), batch.c.not_before <= now),
            *([batch.c.send_at <= as_of] if as_of else []),
        )
        .order_by(batch.c.send_at, batch.c.planned_as_of, batch.c.id)
        .limit(1)
        .with_for_update(skip_locked=True)
    )
    return (
        update(batch)
        .where(batch.c.id == oldest.scalar_subquery(), ~paused(flow))
        .values(
            state=BatchState.CLAIMED.value,
            owner=owner,
            attempt=batch.c.attempt + 1,
            claimed_at=now,
            not_before=None,
            updated_at=now,
        )
        .returning(batch)
    )


def _skip(connection: Connection, row: Any, as_of: datetime | None, now: datetime) -> Counter[str]:
    skipped: Counter[str] = Counter()
    mine = (message.c.batch_id == row.id, message.c.outcome.is_(None))
    stops = {
        Reason.SUPPRESSED: is_suppressed(
            message.c.address, message.c.contact_id, row.channel, message.c.topic
        ),
        Reason.NO_CONSENT: is_revoked_since(
            message.c.address, message.c.contact_id, message.c.topic, row.channel, message.c.planned_at
        ),
    }
    if as_of:
        stops[Reason.EXPIRED] = message.c.expires_at < as_of

    def skip(reason: Reason, is_stopped: Any) -> None:
        values = {"outcome": Outcome.SKIPPED.value, "outcome_reason": reason.value, "updated_at": now}
        if found := connection.execute(update(message).where(*mine, is_stopped).values(values)).rowcount:
            skipped[reason.value] += found

    for reason, is_stopped in stops.items():
        skip(reason, is_stopped)
    goes_out_at = max(row.send_at, as_of) if as_of else row.send_at
    if too_many := exceeding(connection, row, goes_out_at):
        skip(Reason.FREQUENCY_CAP, message.c.message_key.in_(too_many))
    return skipped


def _put_off(connection: Connection, row: Any, as_of: datetime, now: datetime) -> bool:
    """Whether a batch that is late goes back to planned, for the next moment that its hours allow.

    `send_at` is moved on in any case: the caps count a message when it goes out, not when it should have.
    """
    if row.send_at >= as_of:
        return False
    send_at = as_of
    if row.hours:
        send_at = Hours.from_json(row.hours).first_open_late(as_of, row.timezone, row.local_hour)
    values: dict[str, Any] = {"send_at": send_at, "updated_at": now}
    connection.execute(update(message).where(message.c.batch_id == row.id).values(values))
    if send_at > as_of:
        values |= {"state": BatchState.PLANNED.value, "attempt": row.attempt - 1}
        values |= {"owner": None, "claimed_at": None}
    connection.execute(update(batch).where(batch.c.id == row.id).values(values))
    return send_at > as_of


def _messages(connection: Connection, batch_id: str) -> list[Any]:
    names = ("message_key", "contact_id", "address", "merge", "expires_at")
    columns = (*(message.c[name] for name in names), voucher.c.code.label("voucher_code"))
    joined = message.outerjoin(voucher, voucher.c.message_key == message.c.message_key)
    mine = (message.c.batch_id == batch_id, message.c.outcome.is_(None))
    statement = select(*columns).select_from(joined).where(*mine).order_by(message.c.message_key)
    return list(connection.execute(statement))


def _remember_links(connection: Connection, claimed: Claimed, verdict: Verdict) -> None:
    version = {"template": claimed.template, "template_version": verdict.template_version}
    rows = [
        {**version, "slot": link.slot, "kind": link.kind, "target": link.target, "label": link.label}
        for link in verdict.links
    ]
    if rows:
        connection.execute(insert_or_skip(connection, template_link), rows)


def _reject(connection: Connection, rejected: Mapping[str, str], now: datetime) -> None:
    if not rejected:
        return
    statement = (
        update(message)
        .where(message.c.message_key == bindparam("key"), message.c.outcome.is_(None))
        .values(outcome=Outcome.REJECTED.value, outcome_reason=bindparam("why"), updated_at=now)
    )
    connection.execute(statement, [{"key": key, "why": why[:250]} for key, why in rejected.items()])
