"""include/policy.yaml: what holds for everything that is sent, whatever a flow says."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import time, timedelta
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

from kreislauf.flow.words import parse_cap, parse_share, parse_span
from kreislauf.ledger.frequency import FrequencyCap
from kreislauf.ledger.hours import QuietHours
from kreislauf.ledger.schema import Channel
from kreislauf.places import INCLUDE

FILE = INCLUDE / "policy.yaml"

T = TypeVar("T")


class PolicyError(ValueError):
    """include/policy.yaml cannot be used. Says the entry and what would be right."""


@dataclass(frozen=True)
class ChannelPolicy:
    """The caps and the quiet hours of a channel."""

    caps: Sequence[FrequencyCap] = ()
    quiet_hours: QuietHours | None = None


@dataclass(frozen=True)
class Stop:
    """A flow stops above these rates of the messages accepted within `within`, if they are `at_least`."""

    complaint_rate: Fraction
    bounce_rate: Fraction
    within: timedelta
    at_least: int


@dataclass(frozen=True)
class Policy:
    """All of it. `most_in_a_run` and `most_in_a_day` are messages to people, over all channels."""

    priorities: Sequence[str]
    channels: Mapping[Channel, ChannelPolicy] = field(default_factory=dict)
    holdout: Fraction = Fraction(0)
    stop: Stop | None = None
    most_in_a_run: int | None = None
    most_in_a_day: int | None = None

    @property
    def version(self) -> str:
        """Digest of what is declared; stands in every decision made under it."""
        return hashlib.sha256(repr(self).encode()).hexdigest()[:16]

    def channel(self, channel: Channel) -> ChannelPolicy:
        """What holds for a channel: nothing, if the file does not name it."""
        return self.channels.get(channel, ChannelPolicy())


@cache
def load_policy(path: Path = FILE) -> Policy:
    """The policy of a file. Raises PolicyError."""
    import yaml

    try:
        given = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    except (OSError, yaml.YAMLError) as error:
        raise PolicyError(f"{path.name}: {error}") from None
    return _Reader(path.name, given).policy()


@dataclass(frozen=True)
class _Reader:
    file: str
    given: Any

    def policy(self) -> Policy:
        entries = ("priorities", "channels", "holdout", "stop", "most_in_a_run", "most_in_a_day")
        given = self._mapping("the file", self.given, entries)
        priorities = given.get("priorities") or []
        if not priorities or not all(isinstance(name, str) for name in priorities):
            raise self._error("priorities", "must be a list of names, the highest class first")
        channels = given.get("channels") or {}
        known = [channel.value for channel in Channel]
        return Policy(
            tuple(priorities),
            {
                Channel(name): self._channel(f"channels.{name}", found)
                for name, found in self._mapping("channels", channels, known).items()
            },
            self._words(parse_share, "holdout", given.get("holdout", "0 %")),
            self._stop(given["stop"]) if given.get("stop") else None,
            self._number("most_in_a_run", given.get("most_in_a_run")),
            self._number("most_in_a_day", given.get("most_in_a_day")),
        )

    def _channel(self, where: str, given: Any) -> ChannelPolicy:
        found = self._mapping(where, given, ("frequency_caps", "quiet_hours"))
        caps = found.get("frequency_caps") or []
        if not isinstance(caps, list):
            raise self._error(f"{where}.frequency_caps", "must be a list, such as [1 per 16 hours]")
        quiet = found.get("quiet_hours")
        return ChannelPolicy(
            tuple(self._words(parse_cap, f"{where}.frequency_caps", cap) for cap in caps),
            None if quiet is None else self._words(_parse_quiet_hours, f"{where}.quiet_hours", quiet),
        )

    def _stop(self, given: Any) -> Stop:
        entries = ("complaint_rate", "bounce_rate", "within", "at_least")
        found = self._mapping("stop", given, entries)
        if missing := [name for name in entries if name not in found]:
            raise self._error("stop", f"lacks {missing[0]}")
        return Stop(
            self._words(parse_share, "stop.complaint_rate", found["complaint_rate"]),
            self._words(parse_share, "stop.bounce_rate", found["bounce_rate"]),
            self._words(parse_span, "stop.within", found["within"]),
            self._number("stop.at_least", str(found["at_least"]).removesuffix(" messages")) or 1,
        )

    def _mapping(self, where: str, given: Any, known: Sequence[str]) -> dict[str, Any]:
        if not isinstance(given, dict):
            raise self._error(where, f"must be a mapping of {', '.join(known)}")
        if unknown := [str(name) for name in given if name not in known]:
            raise self._error(where, f"has an unknown entry {unknown[0]!r}; there are: {', '.join(known)}")
        return given

    def _number(self, where: str, given: Any) -> int | None:
        if given is None:
            return None
        if not str(given).isdigit() or int(given) < 1:
            raise self._error(where, f"must be a whole number of messages, not {given!r}")
        return int(given)

    def _words(self, parse: Callable[[Any], T], where: str, words: Any) -> T:
        try:
            return parse(words)
        except ValueError as error:
            raise self._error(where, str(error)) from None

    def _error(self, where: str, what: str) -> PolicyError:
        return PolicyError(f"{self.file}: {where}: {what}")


def _parse_quiet_hours(words: Any) -> QuietHours:
    begin, _, end = str(words).partition("-")
    try:
        quiet = QuietHours(time.fromisoformat(begin), time.fromisoformat(end))
    except ValueError:
        raise ValueError(f"{words!r} are no quiet hours; write them like 21:00-08:00") from None
    if quiet.begin == quiet.end:
        raise ValueError(f"{words!r} are no quiet hours: they would be always or never")
    return quiet
