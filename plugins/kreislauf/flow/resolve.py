"""From a flow's words to its steps: every name, delay and condition is checked against what there is."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from fractions import Fraction
from functools import cache, cached_property
from pathlib import Path
from typing import Any, TypeVar

from kreislauf.flow.actions import Action, Branch, By, Email, Join, Split, Test, Together
from kreislauf.flow.conditions import (
    ANY,
    PREVIOUS,
    Comparison,
    Condition,
    Fact,
    Known,
    Member,
    Stage,
    parse_condition,
)
from kreislauf.flow.model import (
    INCLUDE,
    LANGUAGES,
    LOOK_BACK,
    Flow,
    FlowError,
    Previous,
    Range,
    Step,
    dag_id,
    delay_in_words,
)
from kreislauf.flow.policy import load_policy
from kreislauf.flow.words import AT_ONCE, Delay, parse_cap, parse_delay, parse_share, parse_span
from kreislauf.ledger.frequency import FrequencyCap
from kreislauf.ledger.schema import Channel
from kreislauf.sources.streams import STREAMS
from kreislauf.vouchers import load_pools

STAGES = ("other", "subscriber", "lead", "mql", "sql", "opportunity", "customer", "evangelist")
"""What lifecycle.stage gives."""

T = TypeVar("T")

_NAME = re.compile(r"[a-z][a-z0-9_]{0,62}")
_RANGE = re.compile(r"below (\d+(?:\.\d+)?)|(\d+(?:\.\d+)?) to (\d+(?:\.\d+)?)|from (\d+(?:\.\d+)?)")


def resolve(flow: Flow, file: Path, include: Path = INCLUDE) -> list[Step]:
    """The steps of a flow, each after those before it. Raises FlowError."""
    return _Resolver(flow, file, include).steps()


@dataclass(frozen=True)
class _Place:
    """Where in the flow a step stands: what comes before it, and on which side of which branch it is."""

    previous: tuple[Previous, ...] = ()
    side: str | None = None
    before: tuple[str, ...] = ()
    nearest: tuple[str, ...] = ()
    earliest: timedelta = timedelta()


@dataclass
class _Resolver:
    flow: Flow
    file: Path
    include: Path
    resolved: list[Step] = field(default_factory=list)

    def steps(self) -> list[Step]:
        flow = self.flow
        self._require(bool(flow.steps), "a flow needs at least one step")
        self._known("trigger", flow.trigger, self._sql("triggers"))
        for source in flow.relies_on:
            self._known("relies_on", source, sorted({stream.source for stream in STREAMS}))
        self._walk(flow.steps, _Place())
        names = [step.name for step in self.resolved]
        for name in names:
            self._require(names.count(name) == 1, "two steps have this name", name)
        horizon = max(LOOK_BACK, self._longest())
        return [replace(step, horizon=horizon, flow_steps=tuple(names)) for step in self.resolved]

    # ------------------------------------------------------------------------------- structure

    def _walk(self, items: Sequence[Any], place: _Place) -> _Place:
        """Add the steps of `items`; the place of whatever follows them."""
        for item in items:
            if isinstance(item, Branch):
                sides = {"then": item.then, "otherwise": item.otherwise}
                place = self._branch(item.name, sides, place, item.when)
            elif isinstance(item, Split):
                self._require(len(item.sides) > 1, "a split needs two sides or more", item.name)
                place = self._branch(item.name, item.sides, place, None)
            elif isinstance(item, Together):
                self._require(len(item.actions) > 1, "together means two actions or more")
                places = [self._action(action, place) for action in item.actions]
                place = replace(places[0], before=tuple(dict.fromkeys(sum((p.before for p in places), ()))))
            else:
                self._require(
                    isinstance(item, Action), f"{item!r} is not an action, a branch or a split", None
                )
                place = self._action(item, place)
        return place

    def _branch(
        self, name: str, sides: Mapping[str, Sequence[Any]], place: _Place, when: str | None
    ) -> _Place:
        self._named(name)
        condition = None if when is None else self._condition("when", when, name, place)
        is_test = when is None
        words = f"split: {', '.join(sides)}" if is_test else f"if {when}"
        self._add(
            name,
            place,
            channel=None,
            condition=condition,
            sides=tuple(sides),
            shares=_equal_shares(sides) if is_test else {},
            words=words.replace("_", " "),
        )
        ends = []
        for side, items in sides.items():
            start = replace(place, previous=(Previous(name),), side=side)
            end = self._walk(items, start) if items else replace(place, previous=(Previous(name, side),))
            ends.append(end)
        return _Place(
            previous=tuple(previous for end in ends for previous in end.previous),
            before=tuple(dict.fromkeys(name for end in ends for name in end.before)),
            nearest=tuple(dict.fromkeys(name for end in ends for name in end.nearest)),
            earliest=min(end.earliest for end in ends),
        )

    def _action(self, action: Action, place: _Place) -> _Place:
        self._named(action.name)
        delays, ranges = self._delays(action)
        condition, is_wanted = self._asked(action, place)
        if action.voucher is not None:
            self._known(
                "voucher", action.voucher, list(load_pools(self.include / "vouchers.yaml")), action.name
            )
        spans = [delay.span for delay in (*delays.values(), *(range_.delay for range_ in ranges))]
        self._add(
            action.name,
            place,
            channel=action.channel,
            templates=self._templates(action),
            shares=self._shares(action),
            winner=self._winner(action),
            delays=delays,
            delay_by=action.after.column if isinstance(action.after, By) else None,
            ranges=ranges,
            expires=self._words(parse_span, "expires", action.expires, action.name),
            condition=condition,
            is_wanted=is_wanted,
            fields=dict(action.fields),
            voucher=action.voucher,
            words=_in_words(action, delays, ranges),
        )
        return _Place(
            previous=(Previous(action.name),),
            before=(*place.before, action.name),
            nearest=(action.name,),
            earliest=place.earliest + min(spans),
        )

    def _add(self, name: str, place: _Place, **given: Any) -> None:
        flow, policy = self.flow, load_policy()
        self._known("priority", flow.priority, policy.priorities)
        self.resolved.append(
            Step(
                flow=dag_id(self.file),
                flow_version=flow.version,
                name=name,
                trigger=flow.trigger,
                goal=self._goal,
                earliest=place.earliest,
                previous=place.previous,
                side=place.side,
                relies_on=tuple(flow.relies_on),
                topic=flow.topic,
                priority=list(policy.priorities).index(flow.priority),
                cap=self._cap,
                holdout=self._of_flow(parse_share, "holdout"),
                pilot=self._of_flow(parse_share, "pilot"),
                approve_above=flow.approve_above,
                has_items=f"{flow.trigger}_items" in self._sql("triggers"),
                has_language="language" in self._columns,
                **given,
            )
        )

    @cached_property
    def _cap(self) -> FrequencyCap | None:
        if self.flow.frequency_cap is None:
            return None
        return replace(self._of_flow(parse_cap, "frequency_cap"), flow=dag_id(self.file))

    def _longest(self) -> timedelta:
        """No journey takes longer: all steps one after the other, each at its latest."""
        total = timedelta()
        for step in self.resolved:
            delays = (*step.delays.values(), *(range_.delay for range_ in step.ranges))
            total += max(delay.span for delay in delays) + (step.expires or timedelta())
            total += timedelta(weeks=1) if step.local else timedelta()
        return total

    # ----------------------------------------------------------------------------------- words

    @cached_property
    def _goal(self) -> Condition | None:
        if self.flow.goal is None:
            return None
        goal = self._condition("goal", self.flow.goal, None, _Place())
        self._require(
            isinstance(goal, Fact | Member | Stage),
            "goal is something that comes true: a condition, a segment or a stage",
        )
        return goal

    def _asked(self, action: Action, place: _Place) -> tuple[Condition | None, bool]:
        self._require(
            action.unless is None or action.when is None, "write unless= or when=, not both", action.name
        )
        word = "unless" if action.unless is not None else "when"
        words = action.unless if action.unless is not None else action.when
        if words is None:
            return None, True
        return self._condition(word, words, action.name, place), word == "when"

    def _condition(self, word: str, words: str, step: str | None, place: _Place) -> Condition:
        def parse(given: str) -> Condition:
            return parse_condition(given, place.before, place.nearest)

        condition = self._words(parse, word, words, step)
        match condition:
            case Fact(name):
                self._known(word, name, self._sql("conditions"), step)
                columns = _columns(self.include / "sql" / "conditions" / f"{name}.sql")
                return Fact(name, "occurrence_id" in columns)
            case Member(segment):
                self._known(f"{word}=segments.", segment, self._sql("segments"), step)
            case Stage(name):
                self._known(f"{word}=stage ", name, STAGES, step)
            case Comparison(column=column) | Known(column=column):
                self._known(f"{word}: column ", column, self._columns, step)
        return condition

    def _delays(self, action: Action) -> tuple[dict[str, Delay], tuple[Range, ...]]:
        after = action.after
        if isinstance(after, By):
            self._known("after: column ", after.column, self._columns, action.name)
            return self._by(after, action.name)
        if not isinstance(after, Test):
            return {"": self._words(parse_delay, "after", after, action.name)}, ()
        delays = {
            variant: self._words(parse_delay, f"after {variant}", words, action.name)
            for variant, words in after.variants.items()
        }
        self._require(
            len({delay.local for delay in delays.values()}) < 2,
            "the delays of a test share their time of day",
            action.name,
        )
        return delays, ()

    def _by(self, by: By, step: str) -> tuple[dict[str, Delay], tuple[Range, ...]]:
        *ranges, last = by.delays.items()
        self._require(last[0] == "otherwise" and bool(ranges), "the last delay is 'otherwise'", step)
        found = []
        for limits, words in ranges:
            match = _RANGE.fullmatch(limits)
            self._require(
                match is not None,
                f"after: {limits!r} is no range; write 'below 100', '100 to 500' or 'from 500'",
                step,
            )
            low, high = match[2] or match[4], match[1] or match[3]  # type: ignore[index]
            found.append(Range(low, high, self._words(parse_delay, f"after {limits}", words, step)))
        otherwise = self._words(parse_delay, "after otherwise", last[1], step)
        self._require(
            all(range_.delay.local == otherwise.local for range_ in found),
            "all delays of a step share their time of day",
            step,
        )
        return {"": otherwise}, tuple(found)

    def _tests(self, action: Action) -> list[Test]:
        given = [action.after, action.template, action.subject if isinstance(action, Email) else None]
        return [each for each in given if isinstance(each, Test)]

    def _shares(self, action: Action) -> dict[str, Fraction]:
        tests = self._tests(action)
        self._require(len(tests) < 2, "a step has one test; split the flow for a second", action.name)
        if not tests:
            return {}
        variants = tests[0].variants
        self._require(len(variants) > 1, "a test needs two variants or more", action.name)
        for variant in variants:
            self._require(
                bool(_NAME.fullmatch(variant)), f"variant {variant!r}: letters, digits and _", action.name
            )
        return _equal_shares(variants)

    def _winner(self, action: Action) -> str | None:
        winners = [test.winner for test in self._tests(action) if test.winner is not None]
        for winner in winners:
            self._known("winner", winner, ("clicked", "ordered"), action.name)
        return winners[0] if winners else None

    def _templates(self, action: Action) -> dict[str, str]:
        if action.channel is Channel.AUDIENCE:  # the audience's name says it all
            return {"": f"{'join' if isinstance(action, Join) else 'leave'}/{action.name}"}
        given = action.template
        if not isinstance(given, Test):
            given = Test(**{"": given or action.name})
        templates = {variant: f"{self.file.stem}/{name}" for variant, name in given.variants.items()}
        suffix = "mjml" if action.channel is Channel.EMAIL else "yaml"
        for template in templates.values():
            for language in LANGUAGES:
                path = self.include / "templates" / f"{template}.{language}.{suffix}"
                self._require(path.exists(), f"its template {_short(path)} does not exist", action.name)
        return templates

    # --------------------------------------------------------------------------------- what there is

    @cached_property
    def _columns(self) -> tuple[str, ...]:
        return _columns(self.include / "sql" / "triggers" / f"{self.flow.trigger}.sql")

    def _sql(self, layer: str) -> list[str]:
        return sorted(path.stem for path in (self.include / "sql" / layer).glob("*.sql"))

    # ---------------------------------------------------------------------------------- complaints

    def _named(self, name: str) -> None:
        self._require(
            isinstance(name, str) and bool(_NAME.fullmatch(name)) and name not in (PREVIOUS, ANY),
            "a name is lower case letters, digits and _, and not a word of conditions",
            str(name),
        )

    def _of_flow(self, parse: Callable[[Any], T], word: str) -> T:
        return self._words(parse, word, getattr(self.flow, word), None)

    def _known(self, word: str, name: str, known: Sequence[str], step: str | None = None) -> None:
        asked = f"{word}{name!r}" if word.endswith((".", " ")) else f"{word}={name!r}"
        self._require(name in known, f"{asked} does not exist; there are: {', '.join(known)}", step)

    def _words(self, parse: Callable[[Any], T], word: str, words: Any, step: str | None) -> T:
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


@cache
def _columns(path: Path) -> tuple[str, ...]:
    """The columns that an SQL file gives."""
    from datetime import datetime

    from kreislauf.warehouse.dialect import parse
    from kreislauf.warehouse.model import render

    rendered = render(path, path.read_text(encoding="utf-8"), datetime(2026, 1, 1))
    return tuple(parse(rendered).named_selects)


def _equal_shares(variants: Mapping[str, Any]) -> dict[str, Fraction]:
    return {variant: Fraction(1, len(variants)) for variant in variants}


def _in_words(action: Action, delays: Mapping[str, Delay], ranges: Sequence[Range]) -> str:
    found = dict.fromkeys(delay_in_words(delay) for delay in (*(r.delay for r in ranges), *delays.values()))
    delay = " or ".join(found)
    words = AT_ONCE if delay == AT_ONCE else f"after {delay}"
    local = action.after.partition(", ")[2] if isinstance(action.after, str) else ""
    condition = f"unless {action.unless}" if action.unless else f"when {action.when}" if action.when else ""
    return " · ".join(part for part in (words, local, condition.replace("_", " ")) if part)


def _short(path: Path) -> str:
    """The path below the repository, as one would type it."""
    root = INCLUDE.parent
    return str(path.relative_to(root)) if path.is_relative_to(root) else str(path)
