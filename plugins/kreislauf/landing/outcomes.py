"""Mail events from the landing zone into the ledger."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from kreislauf.landing.files import new_file
from kreislauf.landing.manifest import RECORDED, Manifest
from kreislauf.landing.parts import rows
from kreislauf.landing.zone import LandingZone
from kreislauf.ledger.events import record
from kreislauf.ledger.store import Ledger

TABLE = "mail_events"
ROWS_AT_A_TIME = 2_000


def record_outcomes(zone: LandingZone, ledger: Ledger) -> dict[str, Any]:
    """Hand the mail events of every run not marked yet to the ledger, oldest first; return the counts.

    The ledger knows an event by its id, so events handed over twice count once.
    """
    counts: dict[str, Any] = {
        "runs": 0,
        "received": 0,
        "new": 0,
        "settled": 0,
        "suppressed": 0,
        "unknown": {},
    }
    for manifest in zone.unmarked("mail", "events", RECORDED):
        if TABLE in manifest.tables:
            recorded = record(ledger, _rows(manifest))
            counts["runs"] += 1
            for name in ("received", "new", "settled", "suppressed"):
                counts[name] += getattr(recorded, name)
            for kind, number in recorded.unknown.items():
                counts["unknown"][kind] = counts["unknown"].get(kind, 0) + number
        with new_file(manifest.folder / RECORDED):
            pass
    return counts


def _rows(manifest: Manifest) -> Iterator[dict[str, Any]]:
    for batch in rows(manifest, TABLE, ROWS_AT_A_TIME):
        yield from batch.to_pylist()
