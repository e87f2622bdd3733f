"""Channels whose providers take one message a request: a batch is offered in parallel, each message once.

The single answers make one: rejected, in doubt and unsent messages are named, the rest is accepted.
The first answer that concerns everybody (a refused key, throttling) ends the round; what was not
offered by then is unsent.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime

import httpx
import sqlalchemy

from kreislauf.delivery.transport import Answer, Envelope, Kind, Recipient
from kreislauf.ledger.store import utc_now

TIMEOUT = httpx.Timeout(30.0, connect=10.0)
PARALLEL = 4
DEFAULT_WAIT = timedelta(seconds=30)
LONGEST_WAIT = timedelta(days=1)

_FOR_ALL = {Kind.REFUSED, Kind.LATER}


@dataclass(frozen=True)
class Single:
    """What became of one message. SOME_REJECTED: it was refused by itself. LATER with `is_for_all` False:
    only this one waits."""

    kind: Kind
    error: str | None = None
    status: int | None = None
    retry_at: datetime | None = None
    is_for_all: bool = True


def offer_each(
    envelope: Envelope,
    offer: Callable[[Recipient], Single],
    effects: Callable[[sqlalchemy.Connection], None] | None = None,
    known: Mapping[str, Single] | None = None,
) -> Answer:
    """Offer every message of a batch once, a few at the same time. `known`: answers that need no request."""
    answers = dict(known or {})
    stopped = threading.Event()

    def one(person: Recipient) -> None:
        if stopped.is_set():
            return
        answer = answers[person.message_key] = offer(person)
        if answer.kind in _FOR_ALL and answer.is_for_all:
            stopped.set()

    waiting = [person for person in envelope.recipients if person.message_key not in answers]
    with ThreadPoolExecutor(PARALLEL) as pool:
        list(pool.map(one, waiting))
    return _together(envelope, answers, effects)


def _together(
    envelope: Envelope,
    answers: Mapping[str, Single],
    effects: Callable[[sqlalchemy.Connection], None] | None,
) -> Answer:
    keys = [person.message_key for person in envelope.recipients]
    kinds = {key: answers[key].kind if key in answers else Kind.LATER for key in keys}
    rejected = {key: answers[key].error or "refused" for key in keys if kinds[key] is Kind.SOME_REJECTED}
    in_doubt = {key for key in keys if kinds[key] is Kind.IN_DOUBT}
    unsent = {key for key in keys if kinds[key] in _FOR_ALL}
    retry_at = max((one.retry_at for one in answers.values() if one.retry_at), default=None)
    refusal = next((one for one in answers.values() if one.kind is Kind.REFUSED), None)
    notable = refusal or _first(answers.values(), Kind.LATER) or _first(answers.values(), Kind.IN_DOUBT)
    status, error = (notable.status, notable.error) if notable else (None, None)

    kind = Kind.ACCEPTED
    if unsent and len(unsent) + len(rejected) == len(keys):
        kind = Kind.REFUSED if refusal else Kind.LATER
        unsent = set()
    elif in_doubt and len(in_doubt) + len(rejected) == len(keys):
        kind, in_doubt = Kind.IN_DOUBT, set()
    elif len(rejected) == len(keys):
        kind = Kind.SOME_REJECTED
    return Answer(kind, status, None, error, rejected, in_doubt, unsent, retry_at, effects)


def _first(answers: Iterable[Single], kind: Kind) -> Single | None:
    return next((one for one in answers if one.kind is kind), None)


def no_answer(error: httpx.TransportError, whom: str, connection: str) -> Single:
    """Nothing was handed over if the connection was never made; all else may have arrived."""
    if isinstance(error, httpx.ConnectError | httpx.ConnectTimeout):
        text = f"{whom} cannot be reached ({type(error).__name__}); check the connection {connection!r}"
        return Single(Kind.REFUSED, text)
    return Single(Kind.IN_DOUBT, f"{type(error).__name__} while talking to {whom}")


def retry_at(response: httpx.Response) -> datetime:
    """When to ask again: `Retry-After`, in seconds or as a date (RFC 9110, 10.2.3); within a day."""
    now, given = utc_now(), response.headers.get("Retry-After", "")
    try:
        moment = now + timedelta(seconds=int(given)) if given.isdigit() else parsedate_to_datetime(given)
        return min(max(moment, now), now + LONGEST_WAIT)
    except (ValueError, TypeError, OverflowError):  # no such seconds, no date, or one without a zone
        return now + DEFAULT_WAIT
