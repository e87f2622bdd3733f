"""From a flow's words to its steps: every name, delay and condition is checked against what there is."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from fractions import Fraction
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

from kreislauf.flow.actions import Action, Branch, By, Email, Join, Split, Test, Together
from kreislauf.flow.checks import NAME, Checks, columns, short
from kreislauf.flow.conditions import (
    Comparison,
    Condition,
    Fact,
    Known,
    Member,
    Stage,
    parse_condition,
)
from kreislauf.flow.model import (
    LANGUAGES,
    LOOK_BACK,
    Flow,
    Previous,
    Range,
    Step,
    dag_id,
)
from kreislauf.flow.policy import load_policy
from kreislauf.flow.words import (
    Delay,
    delay_in_words,
    parse_cap,
    parse_delay,
    parse_share,
    parse_span,
    when_in_words,
)
from kreislauf.ledger.frequency import FrequencyCap
from kreislauf.ledger.schema import Channel
from kreislauf.places import INCLUDE
from kreislauf.sources.streams import STREAMS
from kreislauf.vouchers import load_pools

STAGES = ("other", "subscriber", "lead", "mql", "sql", "opportunity", "customer", "evangelist")
"""What lifecycle.stage gives."""
MOST_VARIANTS = 10
"""As many as `reports.experiments` has a quantile for: with each more, chance has more pairs to play with."""

T = TypeVar("T")

_RANGE = re.compile(r"below (\d+(?:\.\d+)?)|(\d+(?:\.\d+)?) to (\d+(?:\.\d+)?)|from (\d+(?:\.\d+)?)")


def resolve(flow: Flow, file: Path, include: Path = INCLUDE) -> list[Step]:
    """The steps of a flow, each after those before it. Raises FlowError."""
    return _Resolver(flow, Checks(file, include, flow.trigger)).steps()


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
    check: Checks
    resolved: list[Step] = field(default_factory=list)

    def steps(self) -> list[Step]:
        flow = self.flow
        self.check.require(bool(flow.steps), "a flow needs at least one step")
        self.check.known("trigger", flow.trigger, self.check.sql("triggers"))
        for source in flow.relies_on:
            self.check.known("relies_on", source, sorted({stream.source for stream in STREAMS}))
        self._walk(flow.steps, _Place())
        names = [step.name for step in self.resolved]
        for name in names:
            self.check.require(names.count(name) == 1, "two steps have this name", name)
        of_flow = {
            "horizon": max(LOOK_BACK, self._longest()),
            "dates": tuple(dict.fromkeys(step.date for step in self.resolved if step.date)),
            "flow_steps": tuple(names),
        }
        return [replace(step, **of_flow) for step in self.resolved]

    # ------------------------------------------------------------------------------- structure

    def _walk(self, items: Sequence[Any], place: _Place) -> _Place:
        """Add the steps of `items`; the place of whatever follows them."""
        for item in items:
            if isinstance(item, Branch):
                sides = {"then": item.then, "otherwise": item.otherwise}
                place = self._branch(item.name, sides, place, item.when)
            elif isinstance(item, Split):
                self.check.require(len(item.sides) > 1, "a split needs two sides or more", item.name)
                place = self._branch(item.name, item.sides, place, None)
            elif isinstance(item, Together):
                self.check.require(len(item.actions) > 1, "together means two actions or more")
                places = [self._action(action, place) for action in item.actions]
                place = replace(places[0], before=tuple(dict.fromkeys(sum((p.before for p in places), ()))))
            else:
                self.check.require(
                    isinstance(item, Action), f"{item!r} is not an action, a branch or a split", None
                )
                place = self._action(item, place)
        return place

    def _branch(
        self, name: str, sides: Mapping[str, Sequence[Any]], place: _Place, when: str | None
    ) -> _Place:
        self.check.name(name)
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
        self.check.name(action.name)
        delays, ranges = self._delays(action)
        condition, is_wanted = self._asked(action, place)
        if action.voucher is not None:
            self.check.known(
                "voucher", action.voucher, list(load_pools(self.check.include / "vouchers.yaml")), action.name
            )
        every = [*delays.values(), *(range_.delay for range_ in ranges)]
        is_dated = self._dated(every, action.name)
        expires = self.check.words(parse_span, "expires", action.expires, action.name)
        # What announces a moment is of no use after it.
        expires = min([expires, *(abs(delay.span) for delay in every if delay.span < timedelta())])
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
            expires=expires,
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
            earliest=place.earliest
            if is_dated
            else min(
                delay.span if delay.is_since_trigger else place.earliest + delay.span for delay in every
            ),
        )

    def _add(self, name: str, place: _Place, **given: Any) -> None:
        flow, policy = self.flow, load_policy()
        self.check.known("priority", flow.priority, policy.priorities)
        self.resolved.append(
            Step(
                flow=dag_id(self.check.file),
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
                holdout=self.check.words(parse_share, "holdout", flow.holdout),
                pilot=self.check.words(parse_share, "pilot", flow.pilot),
                approve_above=flow.approve_above,
                has_items=f"{flow.trigger}_items" in self.check.sql("triggers"),
                has_language="language" in self.check.columns,
                **given,
            )
        )

    @cached_property
    def _cap(self) -> FrequencyCap | None:
        if self.flow.frequency_cap is None:
            return None
        cap = self.check.words(parse_cap, "frequency_cap", self.flow.frequency_cap)
        return replace(cap, flow=dag_id(self.check.file))

    def _longest(self) -> timedelta:
        """No journey takes longer: all steps one after the other, each at its latest."""
        total = timedelta()
        for step in self.resolved:
            delays = (*step.delays.values(), *(range_.delay for range_ in step.ranges))
            total += max([timedelta(), *(delay.span for delay in delays)]) + (step.expires or timedelta())
            total += timedelta(weeks=1) if step.local else timedelta()
        return total

    # ----------------------------------------------------------------------------------- words

    @cached_property
    def _goal(self) -> Condition | None:
        if self.flow.goal is None:
            return None
        goal = self._condition("goal", self.flow.goal, None, _Place())
        self.check.require(
            isinstance(goal, Fact | Member | Stage),
            "goal is something that comes true: a condition, a segment or a stage",
        )
        return goal

    def _asked(self, action: Action, place: _Place) -> tuple[Condition | None, bool]:
        self.check.require(
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

        condition = self.check.words(parse, word, words, step)
        match condition:
            case Fact(name):
                self.check.known(word, name, self.check.sql("conditions"), step)
                file = self.check.include / "sql" / "conditions" / f"{name}.sql"
                return Fact(name, "occurrence_id" in columns(file))
            case Member(segment):
                self.check.known(f"{word}=segments.", segment, self.check.sql("segments"), step)
            case Stage(name):
                self.check.known(f"{word}=stage ", name, STAGES, step)
            case Comparison(column=column) | Known(column=column):
                self.check.known(f"{word}: column ", column, self.check.columns, step)
        return condition

    def _delays(self, action: Action) -> tuple[dict[str, Delay], tuple[Range, ...]]:
        after = action.after
        if isinstance(after, By):
            self.check.known("after: column ", after.column, self.check.columns, action.name)
            return self._by(after, action.name)
        if not isinstance(after, Test):
            return {"": self.check.words(parse_delay, "after", after, action.name)}, ()
        delays = {
            variant: self.check.words(parse_delay, f"after {variant}", words, action.name)
            for variant, words in after.variants.items()
        }
        self.check.require(
            len({delay.local for delay in delays.values()}) < 2,
            "the delays of a test share their time of day",
            action.name,
        )
        return delays, ()

    def _dated(self, delays: Sequence[Delay], step: str) -> bool:
        """Whether the delays count from a date that the trigger gives."""
        dates = {delay.date for delay in delays}
        self.check.require(len(dates) == 1, "all delays of a step count from the same moment", step)
        (date,) = dates
        if date is not None:
            self.check.moment(date, step)
        return date is not None

    def _by(self, by: By, step: str) -> tuple[dict[str, Delay], tuple[Range, ...]]:
        *ranges, last = by.delays.items()
        self.check.require(last[0] == "otherwise" and bool(ranges), "the last delay is 'otherwise'", step)
        found = []
        for limits, words in ranges:
            match = _RANGE.fullmatch(limits)
            self.check.require(
                match is not None,
                f"after: {limits!r} is no range; write 'below 100', '100 to 500' or 'from 500'",
                step,
            )
            low, high = match[2] or match[4], match[1] or match[3]  # type: ignore[index]
            found.append(Range(low, high, self.check.words(parse_delay, f"after {limits}", words, step)))
        otherwise = self.check.words(parse_delay, "after otherwise", last[1], step)
        self.check.require(
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
        self.check.require(len(tests) < 2, "a step has one test; split the flow for a second", action.name)
        if not tests:
            return {}
        variants = tests[0].variants
        self.check.require(
            1 < len(variants) <= MOST_VARIANTS,
            f"a test has two to {MOST_VARIANTS} variants, not {len(variants)}",
            action.name,
        )
        for variant in variants:
            self.check.require(
                bool(NAME.fullmatch(variant)), f"variant {variant!r}: letters, digits and _", action.name
            )
        return _equal_shares(variants)

    def _winner(self, action: Action) -> str | None:
        winners = [test.winner for test in self._tests(action) if test.winner is not None]
        for winner in winners:
            self.check.known("winner", winner, ("clicked", "ordered"), action.name)
        return winners[0] if winners else None

    def _templates(self, action: Action) -> dict[str, str]:
        if action.channel is Channel.AUDIENCE:  # the audience's name says it all
            return {"": f"{'join' if isinstance(action, Join) else 'leave'}/{action.name}"}
        given = action.template
        if not isinstance(given, Test):
            given = Test(**{"": given or action.name})
        templates = {variant: f"{self.check.file.stem}/{name}" for variant, name in given.variants.items()}
        suffix = "mjml" if action.channel is Channel.EMAIL else "yaml"
        for template in templates.values():
            for language in LANGUAGES:
                path = self.check.include / "templates" / f"{template}.{language}.{suffix}"
                self.check.require(path.exists(), f"its template {short(path)} does not exist", action.name)
        return templates


def _equal_shares(variants: Mapping[str, Any]) -> dict[str, Fraction]:
    return {variant: Fraction(1, len(variants)) for variant in variants}


def _in_words(action: Action, delays: Mapping[str, Delay], ranges: Sequence[Range]) -> str:
    found = dict.fromkeys(delay_in_words(delay) for delay in (*(r.delay for r in ranges), *delays.values()))
    words = when_in_words(" or ".join(found))
    local = action.after.partition(", ")[2] if isinstance(action.after, str) else ""
    condition = f"unless {action.unless}" if action.unless else f"when {action.when}" if action.when else ""
    return " · ".join(part for part in (words, local, condition.replace("_", " ")) if part)
