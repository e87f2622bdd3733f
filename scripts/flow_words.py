"""A flow's delays, tests and guards in words, for its page and its picture."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from typing import Any

from kreislauf.flow.actions import Action, Branch, By, Email, Split, Test, Together
from kreislauf.flow.files import FlowFile
from kreislauf.flow.model import INBOXES
from kreislauf.flow.policy import Policy
from kreislauf.flow.words import span_in_words, when_in_words
from kreislauf.ledger.consents import SERVICE
from kreislauf.ledger.frequency import FrequencyCap
from kreislauf.ledger.schema import Channel


def actions(items: Sequence[Any]) -> Iterator[Action | Branch | Split]:
    """All steps as their author wrote them, in the order of the resolved ones."""
    for item in items:
        if isinstance(item, Together):
            yield from item.actions
        elif isinstance(item, Branch):
            yield item
            yield from actions((*item.then, *item.otherwise))
        elif isinstance(item, Split):
            yield item
            yield from actions([one for side in item.sides.values() for one in side])
        else:
            yield item


def delay_of(action: Action) -> str:
    """Such as "after 1 day, at 09:00", "1 day before starts_at", "after 1 hour (short) or 4 hours (long)"."""
    after = action.after
    if isinstance(after, Test):
        return when_in_words(" or ".join(f"{words} ({name})" for name, words in after.variants.items()))
    if isinstance(after, By):
        listed = [f"{words} ({limits})" for limits, words in after.delays.items()]
        return f"by {after.column}: {', '.join(listed)}"
    return when_in_words(after)


def condition_of(action: Action) -> str:
    """Such as "unless clicked previous"; "" without one."""
    return f"unless {action.unless}" if action.unless else f"when {action.when}" if action.when else ""


def tests_of(action: Action) -> str:
    """What is tested, and whether a winner is used; "" without a test."""
    subject = action.subject if isinstance(action, Email) else None
    found = []
    for what, given in (("delay", action.after), ("template", action.template), ("subject", subject)):
        if isinstance(given, Test):
            winner = f", the winner by {given.winner} is used" if given.winner else ""
            found.append(f"{what}: {', '.join(given.variants)}{winner}")
    return "; ".join(found)


def guards(flow: FlowFile, policy: Policy) -> Iterator[tuple[str, str]]:
    """What keeps the flow's messages back, each with its value, from the flow and from the policy."""
    step, declared = flow.steps[0], flow.flow
    channels = sorted({each.channel for each in flow.steps if each.channel in INBOXES})
    if step.topic == SERVICE:
        yield "consent", "none asked: it is about a contract (topic `service`)"
    elif channels:
        yield "consent", f"to the topic `{step.topic}` on {_listed(channels)}"
    place = list(policy.priorities).index(declared.priority) + 1
    yield "priority", f"`{declared.priority}`, class {place} of {len(policy.priorities)}"
    if declared.frequency_cap:
        yield "frequency cap of the flow", declared.frequency_cap
    for channel in channels:
        of_channel = policy.channel(channel)
        if of_channel.caps and step.priority:
            yield f"frequency caps, {channel}", ", ".join(map(_cap, of_channel.caps))
        if quiet := of_channel.quiet_hours:
            yield f"quiet hours, {channel}", f"{quiet.begin:%H:%M} to {quiet.end:%H:%M}, local time"
    yield "control group", f"{_share(step.holdout)} of this flow, {_share(policy.holdout)} of all flows"
    if step.pilot != 1:
        yield "pilot", f"acts on {_share(step.pilot)} of the people"
    if step.approve_above is not None:
        yield "approval", f"a person approves a run that plans more than {step.approve_above:,} messages"
    if (stop := policy.stop) and channels:
        yield (
            "stops by itself",
            f"above {_share(stop.complaint_rate)} complaints or {_share(stop.bounce_rate)} bounces "
            f"of {stop.at_least:,} messages or more within {span_in_words(stop.within)}",
        )
    if step.relies_on:
        yield "waits for data of", _listed(step.relies_on)
    yield "asks about", f"occurrences of the last {step.horizon.days} days"


def _listed(names: Sequence[str | Channel]) -> str:
    return ", ".join(map(str, names))


def _cap(cap: FrequencyCap) -> str:
    return f"{cap.messages} per {span_in_words(cap.window)}"


def _share(share: Fraction) -> str:
    return f"{float(share * 100):g} %"
