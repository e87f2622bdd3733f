"""What a run decided, for people: a table for the log, a note for the run. Counts only, nobody's data."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from kreislauf.ledger.schema import Reason

Counts = Mapping[str, int]

DECIDED_BEFORE = "decided_before"
"""What `decide` counts beside the reasons: candidates that an earlier run decided for good."""

_NOT_DUE = {Reason.NOT_DUE.value, Reason.PREVIOUS_STEP_OPEN.value}


def due(counts: Counts) -> int:
    """How many came to a decision: neither their delay nor a step before keeps them waiting."""
    return sum(number for reason, number in counts.items() if reason not in {*_NOT_DUE, DECIDED_BEFORE})


def table(steps: Mapping[str, Counts]) -> str:
    """The counts of reasons by step as lines of text:

    step      asked  due  planned  and the others
    reminder     12    9        5  not_due 3, no_consent 4
    """
    rows = [("step", "asked", "due", "planned", "and the others")]
    for step, counts in steps.items():
        asked = sum(counts.values())
        rows.append((step, f"{asked:,}", f"{due(counts):,}", f"{_planned(counts):,}", _others(counts)))
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    lines = []
    for step, *numbers, others in rows:
        cells = [number.rjust(width) for number, width in zip(numbers, widths[1:], strict=True)]
        lines.append("  ".join([step.ljust(widths[0]), *cells, others]).rstrip())
    return "\n".join(lines)


def note(account: Mapping[str, Mapping[str, Counts]]) -> str:
    """The result of the task `account` as a note in Markdown; "" if nothing was asked.

    The sum first, since Airflow shows one line of a note until it is opened; then a line a step.
    """
    if not account:
        return ""
    reasons = {step: _reasons(counted) for step, counted in account.items()}
    messages: Counter[str] = Counter()
    for counted in account.values():
        messages.update(counted.get("messages", {}))
    is_dry = any("dry_run" in counted for counted in account.values())
    asked, planned = sum(map(due, reasons.values())), sum(map(_planned, reasons.values()))
    head = f"**{planned:,} planned of {asked:,} due**{' (dry run, nothing was written)' if is_dry else ''}"
    lines = ["; ".join([head, *_messages(messages)]), ""]
    for step, counted in account.items():
        found = reasons[step]
        parts = [f"{due(found):,} due", f"{_planned(found):,} planned", _others(found)]
        parts += _messages(counted.get("messages", {}))
        lines.append(f"- **{step}**: {'; '.join(part for part in parts if part)}")
    return "\n".join(lines)


def _reasons(counted: Mapping[str, Counts]) -> Counts:
    return {**counted.get("decided", {}), **counted.get("waiting", {}), **counted.get("dry_run", {})}


def _planned(reasons: Counts) -> int:
    return reasons.get(Reason.PLANNED.value, 0)


def _messages(states: Counts) -> list[str]:
    """What became of messages, as a part of a line; nothing if there were none."""
    listed = ", ".join(f"{state} {number:,}" for state, number in states.items())
    return [f"messages: {listed}"] if listed else []


def _others(counts: Counts) -> str:
    """All reasons but `planned`, the most frequent first."""
    others = [(number, reason) for reason, number in counts.items() if reason != Reason.PLANNED.value]
    return ", ".join(f"{reason} {number:,}" for number, reason in sorted(others, key=lambda o: (-o[0], o[1])))
