"""Letters that come back: the carrier's list of returns, as a file now and then."""

from __future__ import annotations

from typing import Any

from sandbox.world.simulation import Entry
from sandbox.world.traffic import as_csv

REASONS = {"moved": 55, "unknown": 30, "refused": 10, "deceased": 5}
COLUMNS = ("return_id", "returned_on", "customer_id", "email", "reason")


def letter_back(entry: Entry) -> None:
    """A letter to a customer comes back; the list has their number, or only their address."""
    person, rng = entry.person, entry.rng
    has_number = person.customer_id is not None and rng.random() < 0.9
    entry.sim.letters.append(
        {
            "return_id": f"PR-{entry.sim.next_id('letter', 10_001)}",
            "returned_on": f"{entry.at:%d.%m.%Y}",
            "customer_id": person.customer_id if has_number else None,
            "email": None if has_number else person.email,
            "reason": rng.choices(list(REASONS), list(REASONS.values()))[0],
        }
    )


def returns_file(letters: list[dict[str, Any]], name: str) -> tuple[str, bytes]:
    """The carrier's CSV, written the German way, and where it goes."""
    return f"postal_returns/postal-returns-{name}.csv", as_csv(COLUMNS, letters, ";")


HANDLERS = {"letter_back": letter_back}
