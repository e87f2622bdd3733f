"""`make conformance`: builds every model on each engine and compares every table with DuckDB's.

Ends with 1 when a table differs or could not be written; an engine that is not installed is left out,
and said so.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from kreislauf.warehouse.models import Model, load_models
from scripts.conformance import build, worlds
from scripts.conformance.compare import Difference, compare
from scripts.conformance.targets import QUICK, REFERENCE, SPARK, Result, timed

_LINE = "{:<12} {:>7} {:>9} {:>10} {:>8} {:>8} {:>8} {:>10}"
_TITLES = ("engine", "tables", "rows", "differing", "failed", "seconds", "CPU s", "ms a table")
SLOWEST = 15
"""Tables whose seconds are listed without -v."""


@dataclass(frozen=True)
class Verdict:
    """How an engine's tables compare with the reference's."""

    name: str
    result: Result
    differences: list[Difference]
    causes: list[str]
    """Why tables could not be written; those that only lack what another would have given are left out."""
    audits: list[str]
    """Rules of which the audit counts another number of breaches."""

    @property
    def agrees(self) -> bool:
        return not (self.differences or self.result.built.failed or self.audits)

    def line(self) -> str:
        tables, cpu = self.result.tables, self.result.cpu_seconds
        return _LINE.format(
            self.name, len(tables), sum(table.num_rows for table in tables.values()),
            sum(difference.rows for difference in self.differences), len(self.result.built.failed),
            f"{self.result.built.seconds:.1f}", "-" if cpu is None else f"{cpu:.1f}",
            f"{1000 * statistics.median(self.result.built.times.values()):.0f}",
        )  # fmt: skip

    def __str__(self) -> str:
        lines = [*map(str, self.differences), *self.causes, *self.audits]
        if missing := len(self.result.built.failed) - len(self.causes):
            lines.append(f"{missing} more tables could not be written, which read these")
        return "\n".join([f"{self.name}:", *lines])


def verdict(name: str, reference: Result, result: Result, models: Mapping[str, Model]) -> Verdict:
    """Compares all tables that both have."""
    found = (
        compare(table, models[table].grain, reference.tables[table], result.tables[table])
        for table in models
        if table in reference.tables and table in result.tables
    )
    failed = result.built.failed
    causes = [
        f"{table}: {reason}"
        for table, reason in failed.items()
        if not any(read in failed for read in models[table].depends_on)
    ]
    counted, expected = result.built.breaches, reference.built.breaches
    audits = [
        f"audit of {rule}: {expected[rule]} against {count} breaches"
        for rule, count in counted.items()
        if expected.get(rule, count) != count
    ]
    return Verdict(name, result, [difference for difference in found if difference], causes, audits)


def times(verdicts: list[Verdict], most: int) -> str:
    """Seconds of the slowest tables on each engine: those that took longest on any of them."""
    found = [verdict.result.built.times for verdict in verdicts]
    slowest = sorted(found[0], key=lambda table: -max(times.get(table, 0) for times in found))[:most]
    width = max(len(table) for table in slowest)
    lines = [f"\n{'seconds':<{width}}" + "".join(f" {verdict.name:>12}" for verdict in verdicts)]
    for table in slowest:
        lines.append(f"{table:<{width}}" + "".join(f" {times.get(table, 0):>12.2f}" for times in found))
    total = "".join(f" {verdict.result.built.seconds:>12.1f}" for verdict in verdicts)
    return "\n".join([*lines, f"{f'all {len(found[0])} tables':<{width}}{total}"])


def main() -> int:
    names = [target.name for target in (*QUICK, *SPARK)]
    parser = argparse.ArgumentParser(prog="python -m scripts.conformance", description=__doc__)
    parser.add_argument("--only", action="append", choices=names, help="this engine; may be repeated")
    parser.add_argument("--contacts", type=int, default=150, help="size of the worlds")
    parser.add_argument(
        "--spark", action="store_true", help="only Sail and Spark: what `make test` leaves out"
    )
    parser.add_argument("-v", "--verbose", action="store_true", help="the seconds of every table")
    given = parser.parse_args()
    models = load_models(build.SQL)
    with tempfile.TemporaryDirectory(prefix="kreislauf-conformance-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        zone = worlds.land(folder, given.contacts)
        print(_LINE.format(*_TITLES), flush=True)
        reference = timed(REFERENCE, folder / "reference", zone, models)
        verdicts = [verdict(REFERENCE.name, reference, reference, models)]
        print(verdicts[0].line(), flush=True)
        left_out = []
        for target in SPARK if given.spark else (*QUICK, *SPARK):
            if given.only and target.name not in given.only:
                continue
            if reason := target.missing():
                left_out.append(f"{target.name} is left out: {reason}")
                continue
            result = timed(target, folder / target.name.replace(" ", "-"), zone, models)
            verdicts.append(verdict(target.name, reference, result, models))
            print(verdicts[-1].line(), flush=True)
    print(times(verdicts, len(models) if given.verbose else SLOWEST))
    for text in [*left_out, *(str(each) for each in verdicts if not each.agrees)]:
        print(text)
    return 0 if all(each.agrees for each in verdicts) else 1


if __name__ == "__main__":
    sys.exit(main())
