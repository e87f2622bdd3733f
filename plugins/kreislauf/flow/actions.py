"""What an author writes into `Flow(steps=[...])`: actions, tests and branches. All words; nothing is checked
here but by `kreislauf.flow.resolve`, which knows the file and what there is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

from kreislauf.flow.words import AT_ONCE
from kreislauf.ledger.schema import Channel


class Test:
    """A split test: each person gets one of the named variants, always the same one.

    `Test(short="1 hour", long="4 hours")`: equal shares, by a digest of flow, step and contact. It stands
    for a delay (`after=`), a template (`template=`) or, without values, for the subject (`subject=`).

    :param winner: "clicked" or "ordered": once the results are sure, everybody new gets the better
        variant (reports.experiments); None: the test goes on
    """

    __test__ = False  # not a test case, whatever pytest thinks of the name

    def __init__(self, *names: str, winner: str | None = None, **variants: str) -> None:
        self.variants = {name: name for name in names} | variants
        self.winner = winner

    def __repr__(self) -> str:
        return f"Test({self.variants!r}, winner={self.winner!r})"


@dataclass(frozen=True)
class By:
    """A delay that depends on a number the trigger gives:

    `By("total_amount", {"below 100": "1 hour", "otherwise": "4 hours"})`. The first that fits holds; a
    missing number is "otherwise".
    """

    column: str
    delays: Mapping[str, str]


@dataclass(frozen=True)
class Action:
    """One step of a flow.

    :param name: of the step; its template is include/templates/<flow>/<name>.<language>.*
    :param after: delay since the step before was planned, or "... since trigger"; or "1 day before
        starts_at", "2 hours after starts_at": from a timestamp or date that the trigger gives (a date begins
        at the person's midnight). For whom there is no such moment, or for whom it was past before the
        journey came to the step, the step is skipped as condition_false and the journey goes on
    :param unless: a condition (kreislauf.flow.conditions) that must not hold when the step is due
    :param when: one that must hold
    :param expires: how late it may still happen; later it is recorded as expired. What is due before a
        date expires at that date at the latest
    :param template: the template's name if it is not the step's; Test(...): which variant has which
    :param fields: merge fields that are the same for everyone
    :param voucher: the pool that each message gets a code of its own from, as the field `voucher_code`
    """

    name: str
    after: str | Test | By = AT_ONCE
    unless: str | None = None
    when: str | None = None
    expires: str = "2 days"
    template: str | Test | None = None
    fields: Mapping[str, str] = field(default_factory=dict)
    voucher: str | None = None

    channel: ClassVar[Channel]


@dataclass(frozen=True)
class Email(Action):
    """An e-mail. `subject=Test("short", "question")`: the template's subjects of these names."""

    subject: Test | None = None
    channel: ClassVar[Channel] = Channel.EMAIL


@dataclass(frozen=True)
class Sms(Action):
    """A text message."""

    channel: ClassVar[Channel] = Channel.SMS


@dataclass(frozen=True)
class Push(Action):
    """A web push notification."""

    channel: ClassVar[Channel] = Channel.PUSH


@dataclass(frozen=True)
class Onsite(Action):
    """An overlay that the site shows to the visitor."""

    channel: ClassVar[Channel] = Channel.ONSITE


@dataclass(frozen=True)
class Crm(Action):
    """A task, a note or a new value of a field in the CRM; the template says which."""

    channel: ClassVar[Channel] = Channel.CRM


@dataclass(frozen=True)
class Webhook(Action):
    """A signed request to a system of ours."""

    channel: ClassVar[Channel] = Channel.WEBHOOK


@dataclass(frozen=True)
class Join(Action):
    """Puts the person into the audience of this name."""

    channel: ClassVar[Channel] = Channel.AUDIENCE


@dataclass(frozen=True)
class Leave(Action):
    """Takes the person out of the audience of this name."""

    channel: ClassVar[Channel] = Channel.AUDIENCE


@dataclass(frozen=True)
class Branch:
    """Goes on with `then` for those for whom the condition holds, with `otherwise` for the others.

    The side is decided once. What follows the branch follows both sides.
    """

    name: str
    when: str
    then: Sequence[Any] = ()
    otherwise: Sequence[Any] = ()


@dataclass(frozen=True, init=False)
class Split:
    """A split test of whole sides, such as of channels:

    `Split("way", mail=[Email("hello")], push=[Push("hello")])`.
    """

    name: str
    sides: Mapping[str, Sequence[Any]]

    def __init__(self, name: str, **sides: Sequence[Any]) -> None:
        object.__setattr__(self, "name", name)
        object.__setattr__(self, "sides", sides)


@dataclass(frozen=True, init=False)
class Together:
    """Several actions at once, such as a mail and a notification. What follows, follows the first."""

    actions: tuple[Action, ...]

    def __init__(self, *actions: Action) -> None:
        object.__setattr__(self, "actions", actions)
