"""Send what is planned: claim a batch, ask the last questions, render, hand over, write the answer.

Run it as often as wanted, in as many processes as wanted, and kill it anywhere: a batch is
claimed once, and what nobody can vouch for stays in doubt instead of being sent again.
"""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from kreislauf.delivery.fields import CONFIRM
from kreislauf.delivery.links import Links
from kreislauf.delivery.templates import MergeError, Rendered, TemplateError, Templates
from kreislauf.delivery.transport import Answer, DeliveryError, Envelope, Kind, Recipient, Transport
from kreislauf.ledger import batches
from kreislauf.ledger.batches import Claimed, Verdict
from kreislauf.ledger.schema import BatchState
from kreislauf.ledger.store import Ledger, utc_now

log = logging.getLogger(__name__)

TRIES = 3
"""How often a batch is offered while the provider refuses some of its messages: repeated bad
requests get an account blocked."""

PATIENCE = timedelta(minutes=2)
"""How long a provider that throttles is waited for until it accepts something; what it has not by then is
left to the next run."""

SHORTEST_WAIT = timedelta(seconds=1)
"""A provider whose clock is ahead, or which says "at once" for ever, is not asked in a tight loop."""


@dataclass
class SendResult:
    """Counts of one `send`. `messages` by state, `skipped` by reason."""

    batches: int = 0
    messages: Counter[str] = field(default_factory=Counter)
    skipped: Counter[str] = field(default_factory=Counter)
    swept: int = 0
    """Batches of earlier senders that were found dead and are in doubt now."""
    is_paused: bool = False
    left: set[str] = field(default_factory=set, repr=False)
    """Keys of the messages that were offered, and are planned again."""

    def counts(self) -> dict[str, Any]:
        """As plain data, for a task's return value."""
        plain = {"messages": dict(self.messages), "skipped": dict(self.skipped)}
        return plain | {name: getattr(self, name) for name in ("batches", "swept", "is_paused")}


def send(
    ledger: Ledger,
    transport: Transport,
    templates: Templates,
    flow: str,
    step: str,
    owner: str,
    links: Links,
    *,
    as_of: datetime | None = None,
    clock: Callable[[], datetime] = utc_now,
    sleep: Callable[[float], None] = time.sleep,
) -> SendResult:
    """Send every planned batch of a flow's step. `owner` names the run and try, for the record.

    With `as_of`, the circuit's clock, messages that expired while they waited (a pause, an outage) are
    skipped, and batches for a later moment are left. Hands over to nobody twice.

    Raises DeliveryError when sending cannot go on (a refused key, an unreachable provider, a broken
    template): the batch at hand is planned again, and a later call sends it.
    """
    result = SendResult(swept=batches.sweep(ledger, clock()))
    waited = timedelta()
    while claimed := batches.claim(ledger, flow, step, owner, clock(), as_of):
        result.batches += 1
        result.skipped.update(claimed.skipped)
        if not claimed.messages:
            continue
        verdict = _send_one(ledger, transport, templates, links, claimed)
        _count(result, claimed, verdict)
        log.info("batch %s: %s, %d messages", claimed.id, verdict.state, len(claimed.messages))
        if verdict.state is BatchState.ACCEPTED:
            waited = timedelta()
        if verdict.not_before:
            wait = max(verdict.not_before - clock(), SHORTEST_WAIT)
            waited += wait
            if waited > PATIENCE:
                break
            sleep(wait.total_seconds())
    result.is_paused = ledger.is_paused(flow)
    return result


def _send_one(
    ledger: Ledger, transport: Transport, templates: Templates, links: Links, claimed: Claimed
) -> Verdict:
    try:
        rendered = templates.render(
            claimed.template,
            claimed.language,
            claimed.item_count,
            transport.sender,
            links.base_url,
            claimed.flow,
            claimed.step,
            claimed.variant,
        )
        if rendered.channel is not claimed.channel:
            raise TemplateError(
                f"template {claimed.template} is for {rendered.channel}, but the step is {claimed.channel}"
            )
        envelope, unfit = _envelope(claimed, rendered, links)
    except TemplateError as error:
        batches.answer(ledger, claimed, Verdict(BatchState.PLANNED, error=str(error)))
        raise DeliveryError(f"{claimed.flow}/{claimed.step}: {error}") from error

    answer = _deliver(transport, envelope) if envelope.recipients else Answer(Kind.SOME_REJECTED)
    verdict = _verdict(claimed, answer, unfit, rendered)
    batches.answer(ledger, claimed, verdict)
    if answer.kind is Kind.REFUSED:
        raise DeliveryError(f"{claimed.flow}/{claimed.step}: sending stopped, {answer.error}")
    return verdict


def _envelope(claimed: Claimed, rendered: Rendered, links: Links) -> tuple[Envelope, dict[str, str]]:
    """The batch as the provider gets it, and the messages that cannot be part of it, with the reason."""
    recipients, unfit = [], {}
    for row in claimed.messages:
        url = links.unsubscribe(row.message_key)
        merge = row.merge | {CONFIRM: links.confirm(row.message_key)}
        merge |= {} if row.voucher_code is None else {"voucher_code": row.voucher_code}
        try:
            values = rendered.substitutions(merge, claimed.flow, claimed.language, url)
        except MergeError as error:
            unfit[row.message_key] = str(error)
            continue
        recipients.append(Recipient(row.message_key, row.address, values, url))
    return (
        Envelope(
            claimed.id,
            claimed.flow,
            claimed.step,
            rendered.parts,
            tuple(recipients),
            claimed.attempt,
        ),
        unfit,
    )


def _deliver(transport: Transport, envelope: Envelope) -> Answer:
    """Offer the batch; without the messages refused by name, again."""
    rejected: dict[str, str] = {}
    for _ in range(TRIES):
        answer = transport.send(envelope)
        rejected |= answer.rejected
        envelope = envelope.without(set(rejected))
        if answer.kind is not Kind.SOME_REJECTED or not envelope.recipients:
            return replace(answer, rejected=rejected)
    error = f"the provider refused single messages {TRIES} times in a row: {answer.error}"
    return replace(answer, kind=Kind.REFUSED, rejected=rejected, error=error)


def _verdict(claimed: Claimed, answer: Answer, unfit: dict[str, str], rendered: Rendered) -> Verdict:
    state = {
        Kind.ACCEPTED: BatchState.ACCEPTED,
        Kind.SOME_REJECTED: BatchState.REJECTED,
        Kind.REFUSED: BatchState.PLANNED,
        Kind.LATER: BatchState.PLANNED,
        Kind.IN_DOUBT: BatchState.IN_DOUBT,
    }[answer.kind]
    return Verdict(
        state=state,
        http_status=answer.http_status,
        provider_message_id=answer.provider_message_id,
        error=answer.error,
        not_before=answer.retry_at,
        template_version=rendered.version,
        links=rendered.links,
        rejected=unfit | answer.rejected,
        in_doubt=answer.in_doubt,
        unsent=answer.unsent,
        effects=answer.effects,
    )


def _count(result: SendResult, claimed: Claimed, verdict: Verdict) -> None:
    """Add what became of a batch. Who is offered several times counts once, as what came of it at last."""
    keys = {row.message_key for row in claimed.messages}
    apart = {
        BatchState.REJECTED: keys.intersection(verdict.rejected),
        BatchState.IN_DOUBT: keys.intersection(verdict.in_doubt),
        BatchState.PLANNED: keys.intersection(verdict.unsent),
    }
    rest = keys.difference(*apart.values())
    of_state = {
        state: apart.get(state, set()) | (rest if state is verdict.state else set()) for state in BatchState
    }
    result.left = (result.left - keys) | of_state.pop(BatchState.PLANNED)
    result.messages.update({state.value: len(found) for state, found in of_state.items() if found})
    result.messages[BatchState.PLANNED.value] = len(result.left)
    result.messages += Counter()  # without zeros
