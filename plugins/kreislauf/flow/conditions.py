"""Conditions of a flow, written as a phrase:

ordered                     a file of include/sql/conditions/: it happened since the trigger (and, if the file
                            gives occurrence_id, for this occurrence)
segments.big_spenders       the person is in a segment
stage sql                   the person stands in this lifecycle stage now
clicked previous            the step before was clicked (by a person); also: opened previous, which a click
                            proves as well
clicked reminder            the same of a step before, by its name
clicked any                 the same of whichever step before
budget >= 5000              a column of the trigger, compared: = != < <= > >=
budget is known             a column of the trigger that is filled; also: is unknown
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

PREVIOUS, ANY = "previous", "any"
REACTIONS = {"clicked": "click", "opened": "open"}
"""The provider's event by the word for it."""

_NAME = r"[a-z][a-z0-9_]*"
_REACTION = re.compile(rf"(clicked|opened) ({_NAME})")
_STAGE = re.compile(rf"stage ({_NAME})")
_SEGMENT = re.compile(rf"segments\.({_NAME})")
_COMPARISON = re.compile(rf"({_NAME}) (=|!=|<|<=|>|>=) (-?\d+(?:\.\d+)?|[^\s'][^']*)")
_KNOWN = re.compile(rf"({_NAME}) is (known|unknown)")
_FACT = re.compile(_NAME)
_NUMBER = re.compile(r"-?\d+(\.\d+)?")


@dataclass(frozen=True)
class Fact:
    """A row of conditions.<name> since the trigger; of the same occurrence, if the file has that column."""

    name: str
    is_of_occurrence: bool = False


@dataclass(frozen=True)
class Member:
    """In a segment of the build that is read."""

    segment: str


@dataclass(frozen=True)
class Stage:
    """Stands in this stage of lifecycle.stage."""

    name: str


@dataclass(frozen=True)
class Reaction:
    """One of these steps was clicked or opened by a person. Asked in the ledger, which knows the events."""

    event: str
    steps: tuple[str, ...]


@dataclass(frozen=True)
class Comparison:
    """A column of the trigger compared with a number or a text; NULL compares to nothing."""

    column: str
    operator: str
    value: str

    @property
    def is_number(self) -> bool:
        return _NUMBER.fullmatch(self.value) is not None


@dataclass(frozen=True)
class Known:
    """A column of the trigger that is filled, or is not."""

    column: str
    is_known: bool


Condition = Fact | Member | Stage | Reaction | Comparison | Known


def parse_condition(words: object, before: Sequence[str] = (), nearest: Sequence[str] = ()) -> Condition:
    """Reads one of the phrases above.

    :param before: the steps a person may have got before this one
    :param nearest: which of them "previous" is; several where branches come together, of which a person
        got one
    Raises ValueError for anything else, and for a step that does not come before.
    """
    text = words if isinstance(words, str) else ""
    if match := _REACTION.fullmatch(text):
        return Reaction(REACTIONS[match[1]], _steps(match[2], text, before, nearest))
    if match := _STAGE.fullmatch(text):
        return Stage(match[1])
    if match := _SEGMENT.fullmatch(text):
        return Member(match[1])
    if match := _KNOWN.fullmatch(text):
        return Known(match[1], match[2] == "known")
    if match := _COMPARISON.fullmatch(text):
        return Comparison(match[1], match[2], match[3])
    if _FACT.fullmatch(text):
        return Fact(text)
    raise ValueError(
        f"{words!r} is not a condition; write a file of include/sql/conditions/, 'segments.<name>', "
        "'stage <name>', 'clicked previous', 'opened <step>', '<column> >= <value>' or '<column> is known'"
    )


def _steps(name: str, words: str, before: Sequence[str], nearest: Sequence[str]) -> tuple[str, ...]:
    if not before:
        raise ValueError(f"{words!r} asks about a step before, and this is the first")
    if name == PREVIOUS:
        return tuple(nearest)
    if name == ANY:
        return tuple(before)
    if name not in before:
        raise ValueError(f"{words!r}: no such step before; there are: {', '.join(before)}")
    return (name,)
