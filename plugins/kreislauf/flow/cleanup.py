"""The list clean-up: report what `cleanup.*` found, suppress what was approved, take it back.

A report is a CSV file of contact ids, reasons and evidence, without addresses. Approval may take a
day and the build it was made from may be gone by then, so what is suppressed is what the report
names *and* the published build still finds: who opened a mail meanwhile stays on the list.
"""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kreislauf.ledger.store import Ledger, chunks
from kreislauf.ledger.suppressions import lift, suppress
from kreislauf.places import INCLUDE, home

if TYPE_CHECKING:
    from kreislauf.warehouse.engines.base import Engine

COLUMNS = ("contact_id", "reason", "evidence")

_FINDINGS = "select contact_id, email, reason, evidence from cleanup.{table}"
_LIST_SIZE = "select count(*) as n from core.contacts where email is not null"


def report_path(run_id: str) -> Path:
    """Where a run's report lies: <KREISLAUF_HOME>/reports/list_cleanup/."""
    return home() / "reports" / "list_cleanup" / f"{re.sub(r'[^A-Za-z0-9_.-]', '_', run_id)}.csv"


def find(engine: Engine, build_id: str, report: Path) -> dict[str, Any]:
    """Write the report; return contacts by reason, and the share of the list (0 to 1) they make up."""
    report.parent.mkdir(parents=True, exist_ok=True)
    draft = report.with_suffix(".tmp")
    reasons: Counter[str] = Counter()
    people: set[str] = set()
    with draft.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, COLUMNS, extrasaction="ignore")
        writer.writeheader()
        for row in _findings(engine, build_id):
            writer.writerow(row)
            reasons[row["reason"]] += 1
            people.add(row["contact_id"])
    draft.replace(report)
    (size,) = engine.query(_LIST_SIZE, build_id=build_id)
    return {
        "found": dict(sorted(reasons.items())),
        "contacts": len(people),
        "share": round(len(people) / max(size["n"], 1), 4),
        "report": str(report),
    }


def suppress_reported(
    engine: Engine, ledger: Ledger, build_id: str, report: Path, run_id: str
) -> dict[str, int]:
    """Suppress what the report names and the build still finds; new suppressions by reason.

    Repeating it adds nothing. Raises FileNotFoundError if the report is gone: run `find` again.
    """
    with report.open(newline="", encoding="utf-8") as file:
        reported = {(row["contact_id"], row["reason"]) for row in csv.DictReader(file)}
    added: Counter[str] = Counter()
    for rows in chunks(_findings(engine, build_id), 5_000):
        approved = [row for row in rows if (row["contact_id"], row["reason"]) in reported]
        for reason in sorted({row["reason"] for row in approved}):
            people = [
                {"address": row["email"], "contact_id": row["contact_id"]}
                for row in approved
                if row["reason"] == reason and row["email"]
            ]
            added[reason] += suppress(ledger, people, reason, _source(run_id))
    return dict(sorted(added.items()))


def undo(ledger: Ledger, run_id: str, by: str) -> int:
    """Take back everything a run suppressed; how many.

    Raises LookupError when that run has suppressed nothing that is still in force.
    """
    lifted = lift(ledger, _source(run_id), by)
    if not lifted:
        raise LookupError(f"run {run_id!r} has suppressed nothing that is still in force; check the run id")
    return lifted


def _source(run_id: str) -> str:
    return f"list_cleanup {run_id}"[:128]


def _findings(engine: Engine, build_id: str) -> Iterator[dict[str, Any]]:
    for path in sorted((INCLUDE / "sql" / "cleanup").glob("*.sql")):
        for batch in engine.batches(_FINDINGS.format(table=path.stem), build_id=build_id):
            yield from batch.to_pylist()
