"""A flow as its author writes it, and the steps it resolves to.

`Flow`, `Email` and `Test` hold words. `Flow.resolve` checks every name and every delay against the
files that exist and gives `Step`s, which is what the decision works with. It is called while the
DAG file is imported, so a wrong name is an import error in the UI and never a surprise at night.
"""

from __future__ import annotations

import hashlib
import inspect
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from kreislauf.flow.words import AT_ONCE, parse_cap, parse_delay
from kreislauf.ledger.frequency import FrequencyCap
from kreislauf.sources.streams import STREAMS

if TYPE_CHECKING:
    from airflow.sdk import DAG

INCLUDE = Path(__file__).resolve().parents[3] / "include"
LANGUAGES = ("de", "en")
BUILT_IN_CONDITIONS = ("clicked_previous", "opened_previous")
LOOK_BACK = timedelta(days=30)
"""Occurrences older than this (or than the flow takes, if that is longer) are not asked about at
all. Younger ones whose moment has passed are recorded as expired."""

T = TypeVar("T")

_NAME = re.compile(r"[a-z][a-z0-9_]{0,62}")


class FlowError(ValueError):
    """A flow that cannot be run as written. Says the file, the step and what would be right."""


class Test:
    """A split test of delays: each person gets one of the named variants, always the same one.

    `Test(short="1 hour", long="4 hours")`: equal shares, chosen by a digest of flow, step and contact.
    """

    __test__ = False  # not a test case, whatever pytest thinks of the name

    def __init__(self, **variants: str) -> None:
        self.variants = variants

    def __repr__(self) -> str:
        return f"Test({', '.join(f'{name}={delay!r}' for name, delay in self.variants.items())})"


@dataclass(frozen=True)
class Email:
    """One e-mail of a flow.

    :param template: name of the step and of its template, include/templates/<flow>/<template>.<language>.mjml
    :param after: delay since the trigger (first step) or since the step before was planned
    :param unless: a condition that must not have become true since the trigger: a file of
        include/sql/conditions/, or `clicked_previous` / `opened_previous` (the step before)
    :param when: a condition that must have become true
    :param expires: how late the message may still go out; later it is recorded as expired
    :param fields: merge fields that are the same for everyone
    """

    template: str
    after: str | Test = AT_ONCE
    unless: str | None = None
    when: str | None = None
    expires: str = "2 days"
    fields: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Step:
    """One step of a flow with every word resolved: all that is needed to decide it.

    :param flow: the DAG's id
    :param template: path under include/templates/, without language
    :param delays: delay by variant; without a test the only variant is ""
    :param earliest: the sum of the shortest delays of the steps before: no later step is due sooner
    :param condition: name of a condition, or None; `is_wanted` tells whether it must or must not hold
    :param relies_on: sources whose data must reach a candidate's due moment
    :param horizon: how far back occurrences are asked about
    """

    flow: str
    flow_version: str
    name: str
    template: str
    trigger: str
    goal: str | None = None
    delays: Mapping[str, timedelta] = field(default_factory=lambda: {"": timedelta()})
    earliest: timedelta = timedelta()
    expires: timedelta | None = None
    previous: str | None = None
    condition: str | None = None
    is_wanted: bool = True
    relies_on: tuple[str, ...] = ()
    cap: FrequencyCap | None = None
    horizon: timedelta = LOOK_BACK
    has_items: bool = False
    fields: Mapping[str, str] = field(default_factory=dict)

    def variant(self, contact_id: str) -> str:
        """The variant this person gets. Stable, equal shares, independent between steps."""
        names = list(self.delays)
        if len(names) == 1:
            return names[0]
        digest = hashlib.md5(f"{self.flow}:{self.name}:{contact_id}".encode(), usedforsecurity=False)
        return names[int.from_bytes(digest.digest()[:8]) * len(names) >> 64]

    def in_words(self) -> str:
        """The delay and the condition as a phrase, such as "after 1 day · unless clicked previous"."""
        delay = " or ".join(_in_words(delay) for delay in self.delays.values())
        words = AT_ONCE if delay == AT_ONCE else f"after {delay}"
        if self.condition:
            words += f" · {'when' if self.is_wanted else 'unless'} {self.condition.replace('_', ' ')}"
        return words


@dataclass(frozen=True)
class Flow:
    """Who is written to, when and with what.

    :param trigger: a file of include/sql/triggers/: each of its rows starts one journey
    :param steps: the messages, in order; a step waits until the one before is decided
    :param goal: a file of include/sql/conditions/: once reached after the trigger, the journey ends
    :param relies_on: sources ("shop", "crm", "site", "mail") whose data must reach the moment a
        step is due; until then the step waits as quality_gate
    :param frequency_cap: such as "1 per 16 hours", counted over all flows and campaigns
    """

    trigger: str
    steps: Sequence[Email]
    goal: str | None = None
    relies_on: Sequence[str] = ()
    frequency_cap: str | None = None

    @property
    def version(self) -> str:
        """Digest of what is declared; stands in every decision made under it."""
        return hashlib.sha256(repr(self).encode()).hexdigest()[:16]

    def in_words(self) -> str:
        """The trigger and the goal as a phrase, such as "cart abandoned · until ordered"."""
        goal = f" · until {self.goal.replace('_', ' ')}" if self.goal else ""
        return self.trigger.replace("_", " ") + goal

    def resolve(self, file: str | Path, include: Path = INCLUDE) -> list[Step]:
        """The steps of the flow declared in `file`. Raises FlowError, which names it and the step."""
        return _Resolver(self, Path(file), include).steps()

    def dag(self) -> DAG:
        """The flow's DAG, named by the calling file's path below dags/ and described by its docstring."""
        from kreislauf.flow.dag import flow_dag

        caller = inspect.currentframe().f_back  # type: ignore[union-attr]
        return flow_dag(self, caller.f_globals["__file__"], caller.f_globals.get("__doc__"))


@dataclass(frozen=True)
class _Resolver:
    flow: Flow
    file: Path
    include: Path

    def steps(self) -> list[Step]:
        flow = self.flow
        self._require(bool(flow.steps), "a flow needs at least one step")
        self._known("trigger", flow.trigger, self._sql("triggers"))
        if flow.goal is not None:
            self._known("goal", flow.goal, self._sql("conditions"))
        for source in flow.relies_on:
            self._known("relies_on", source, sorted({stream.source for stream in STREAMS}))
        names = [step.template for step in flow.steps]
        for step in names:
            self._require(bool(_NAME.fullmatch(step)), "a name is lower case letters, digits and _", step)
            self._require(names.count(step) == 1, "two steps have this name", step)

        delays = [self._delays(step) for step in flow.steps]
        expiries = [self._words(parse_delay, "expires", step.expires, step.template) for step in flow.steps]
        longest = sum((max(delay.values()) for delay in delays), timedelta()) + sum(expiries, timedelta())
        resolved: list[Step] = []
        for position, step in enumerate(flow.steps):
            self._templates(step.template)
            previous = names[position - 1] if position else None
            resolved.append(
                Step(
                    flow=dag_id(self.file),
                    flow_version=flow.version,
                    name=step.template,
                    template=f"{self.file.stem}/{step.template}",
                    trigger=flow.trigger,
                    goal=flow.goal,
                    delays=delays[position],
                    earliest=sum((min(delay.values()) for delay in delays[:position]), timedelta()),
                    expires=expiries[position],
                    previous=previous,
                    condition=self._condition(step, previous),
                    is_wanted=step.unless is None,
                    relies_on=tuple(flow.relies_on),
                    cap=self._cap(),
                    horizon=max(LOOK_BACK, longest),
                    has_items=f"{flow.trigger}_items" in self._sql("triggers"),
                    fields=dict(step.fields),
                )
            )
        return resolved

    def _condition(self, step: Email, previous: str | None) -> str | None:
        self._require(
            step.unless is None or step.when is None, "write unless= or when=, not both", step.template
        )
        condition = step.unless or step.when
        if condition is None:
            return None
        word = "unless" if step.unless else "when"
        self._known(word, condition, [*self._sql("conditions"), *BUILT_IN_CONDITIONS], step.template)
        self._require(
            condition not in BUILT_IN_CONDITIONS or previous is not None,
            f"{word}={condition!r} asks about the step before, and this is the first",
            step.template,
        )
        return condition

    def _delays(self, step: Email) -> dict[str, timedelta]:
        if not isinstance(step.after, Test):
            return {"": self._words(parse_delay, "after", step.after, step.template)}
        self._require(len(step.after.variants) > 1, "a test needs two variants or more", step.template)
        return {
            variant: self._words(parse_delay, f"after {variant}", delay, step.template)
            for variant, delay in step.after.variants.items()
        }

    def _cap(self) -> FrequencyCap | None:
        cap = self.flow.frequency_cap
        return None if cap is None else self._words(parse_cap, "frequency_cap", cap, None)

    def _templates(self, step: str) -> None:
        for language in LANGUAGES:
            path = self.include / "templates" / self.file.stem / f"{step}.{language}.mjml"
            self._require(path.exists(), f"its template {_short(path)} does not exist", step)

    def _sql(self, layer: str) -> list[str]:
        return sorted(path.stem for path in (self.include / "sql" / layer).glob("*.sql"))

    def _known(self, word: str, name: str, known: Sequence[str], step: str | None = None) -> None:
        self._require(name in known, f"{word}={name!r} does not exist; there are: {', '.join(known)}", step)

    def _words(self, parse: Callable[[str], T], word: str, words: str, step: str | None) -> T:
        try:
            return parse(words)
        except ValueError as error:
            raise self._error(f"{word}: {error}", step) from None

    def _require(self, is_right: bool, otherwise: str, step: str | None = None) -> None:
        if not is_right:
            raise self._error(otherwise, step)

    def _error(self, what: str, step: str | None) -> FlowError:
        where = _short(self.file) + (f", step {step!r}" if step is not None else "")
        return FlowError(f"{where}: {what}")


def dag_id(file: str | Path) -> str:
    """The name of a DAG: its file's path under dags/, joined with _. Also the flow's name in the ledger."""
    parts = Path(file).absolute().with_suffix("").parts
    below = len(parts) - parts[::-1].index("dags")
    return "_".join(parts[below:])


def _short(path: Path) -> str:
    """The path below the repository, as one would type it."""
    root = INCLUDE.parent
    return str(path.relative_to(root)) if path.is_relative_to(root) else str(path)


def _in_words(delay: timedelta) -> str:
    for unit, seconds in (("week", 604800), ("day", 86400), ("hour", 3600), ("minute", 60)):
        count, rest = divmod(int(delay.total_seconds()), seconds)
        if count and not rest:
            return f"{count} {unit}{'s' if count > 1 else ''}"
    return AT_ONCE
