"""A flow as its author writes it, and the steps it resolves to.

`Flow` and what stands in `kreislauf.flow.actions` hold words. `Flow.resolve` checks every name and every
delay against the files that exist and gives `Step`s, which is what the decision works with. It is called
while the DAG file is imported, so a wrong name is an import error in the UI and never a surprise at night.
"""

from __future__ import annotations

import hashlib
import inspect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kreislauf.flow.conditions import Condition
from kreislauf.flow.words import AT_ONCE, Delay
from kreislauf.ledger.frequency import FrequencyCap
from kreislauf.ledger.hours import LocalTime
from kreislauf.ledger.schema import SERVICE, Channel
from kreislauf.places import INCLUDE

if TYPE_CHECKING:
    from airflow.sdk import DAG

LANGUAGES = ("de", "en")
LOOK_BACK = timedelta(days=30)
"""Occurrences older than this (or than the flow takes, if that is longer) are not asked about at
all. Younger ones whose moment has passed are recorded as expired."""


class FlowError(ValueError):
    """A flow that cannot be run as written. Says the file, the step and what would be right."""


INBOXES = frozenset({Channel.EMAIL, Channel.SMS, Channel.PUSH})
"""The channels that end at a person: they need consent, and are capped and quiet at night."""


@dataclass(frozen=True)
class Range:
    """A delay for values of a column from `low` (included) to `high` (not included); None: no limit."""

    low: str | None
    high: str | None
    delay: Delay


@dataclass(frozen=True)
class Previous:
    """A step that comes before. `variant`: only for those who took this side of it, a branch."""

    step: str
    variant: str | None = None


@dataclass(frozen=True)
class Step:
    """One step of a flow with every word resolved: all that is needed to decide it.

    :param flow: the DAG's id
    :param channel: None: a branch, which decides and does nothing
    :param shares: share of the people by variant of a test, in order; empty without a test
    :param winner: by what a test's winner is found, if it is to be used
    :param templates: path under include/templates/ without language, by variant ("" without a test)
    :param delays: delay by variant; without a test of delays the only key is ""
    :param ranges: delays by the value of the trigger's column `delay_by`, if that is given
    :param previous: the steps one of which has to be decided before; several where branches come together
    :param sides: the names of a branch's sides
    :param side: of a step that is the first of a branch's side: its name
    :param earliest: no delay of the steps before is shorter than this in sum
    :param is_sequel: who has no final decision of a step before is no candidate at all, instead of waiting
        for one: a campaign's second mail, long after the segment was asked about the first
    :param condition: None: always; `is_wanted` tells whether it must or must not hold
    :param relies_on: sources whose data must reach a candidate's due moment
    :param has_language: the trigger gives a language, for those of whom none is known
    :param horizon: how far back occurrences are asked about
    :param dates: columns of the trigger from which steps of the flow count: an occurrence is asked about as
        well while such a date lies no further back than the horizon
    :param flow_steps: the names of all steps of the flow; empty if it is not one of several
    :param priority: class of the flow (include/policy.yaml), 0 is the highest
    """

    flow: str
    flow_version: str
    name: str
    trigger: str
    channel: Channel | None = Channel.EMAIL
    templates: Mapping[str, str] = field(default_factory=dict)
    goal: Condition | None = None
    shares: Mapping[str, Fraction] = field(default_factory=dict)
    winner: str | None = None
    delays: Mapping[str, Delay] = field(default_factory=lambda: {"": Delay()})
    delay_by: str | None = None
    ranges: Sequence[Range] = ()
    earliest: timedelta = timedelta()
    expires: timedelta | None = None
    previous: Sequence[Previous] = ()
    is_sequel: bool = False
    sides: Sequence[str] = ()
    side: str | None = None
    condition: Condition | None = None
    is_wanted: bool = True
    relies_on: Sequence[str] = ()
    topic: str = "marketing"
    priority: int = 0
    cap: FrequencyCap | None = None
    holdout: Fraction = Fraction(0)
    pilot: Fraction = Fraction(1)
    approve_above: int | None = None
    horizon: timedelta = LOOK_BACK
    dates: Sequence[str] = ()
    flow_steps: Sequence[str] = ()
    has_items: bool = False
    has_language: bool = False
    fields: Mapping[str, str] = field(default_factory=dict)
    voucher: str | None = None
    words: str = AT_ONCE
    """The delay and the condition as a phrase, such as "after 1 day · unless clicked previous"."""

    @property
    def needs_consent(self) -> bool:
        """Whether only who agreed to the topic on this channel may be written to."""
        return self.channel in INBOXES and self.topic != SERVICE

    @property
    def local(self) -> LocalTime | None:
        """The local time that all delays of the step share."""
        return next(iter(self.delays.values())).local

    @property
    def date(self) -> str | None:
        """The column of the trigger that all delays of the step count from, if they count from one."""
        return next(iter(self.delays.values())).date


@dataclass(frozen=True)
class Flow:
    """Who is written to, when and with what.

    :param trigger: a file of include/sql/triggers/: each of its rows starts one journey
    :param steps: actions, branches and splits (kreislauf.flow.actions), in order; a step waits until the
        one before is decided
    :param goal: a condition; once it holds after the trigger, the journey ends
    :param topic: what people consent to; "service" is about a contract and asks no consent
    :param priority: a class of include/policy.yaml; a lower class does not count against a higher one
    :param relies_on: sources ("shop", "crm", "site", "mail") whose data must reach the moment a
        step is due; until then the step waits as quality_gate
    :param frequency_cap: such as "1 per 2 weeks": at most so many of this flow's messages to a person on a
        channel, beside the channel's own caps in include/policy.yaml
    :param holdout: the share of people this flow never acts on, to compare with, beside the global one
    :param pilot: the share of people it acts on at all; may grow by editing, nobody falls out of it
    :param approve_above: a run that plans more messages than this waits for a person's approval
    """

    trigger: str
    steps: Sequence[Any]
    goal: str | None = None
    topic: str = "marketing"
    priority: str = "flow"
    relies_on: Sequence[str] = ()
    frequency_cap: str | None = None
    holdout: str = "0 %"
    pilot: str = "100 %"
    approve_above: int | None = None

    @property
    def version(self) -> str:
        """Digest of what is declared; stands in every decision made under it."""
        return hashlib.sha256(repr(self).encode()).hexdigest()[:16]

    def in_words(self) -> str:
        """The trigger and the goal as a phrase, such as "cart abandoned · until ordered"."""
        goal = f" · until {self.goal.replace('_', ' ')}" if self.goal else ""
        return self.trigger.replace("_", " ") + goal

    def resolve(self, file: str | Path, include: Path = INCLUDE) -> list[Step]:
        """The steps of the flow declared in `file`, each after those before it.

        Raises FlowError, which names the file and the step.
        """
        from kreislauf.flow.resolve import resolve

        return resolve(self, Path(file), include)

    def dag(self) -> DAG:
        """The flow's DAG, named by the calling file's path below dags/ and described by its docstring."""
        from kreislauf.flow.dag import flow_dag

        caller = inspect.currentframe().f_back  # type: ignore[union-attr]
        return flow_dag(self, caller.f_globals["__file__"], caller.f_globals.get("__doc__"))


def dag_id(file: str | Path) -> str:
    """The name of a DAG: its file's path under dags/, joined with _. Also the flow's name in the ledger."""
    parts = Path(file).absolute().with_suffix("").parts
    below = len(parts) - parts[::-1].index("dags")
    return "_".join(parts[below:])
