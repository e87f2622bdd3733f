"""`make conformance`: builds every model on each engine and compares every table with DuckDB's.

Ends with 1 when a table differs or could not be written; an engine that is not installed is left out,
and said so.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from kreislauf.warehouse.models import Model, load_models
from scripts.conformance import build, worlds
from scripts.conformance.compare import Difference, compare
from scripts.conformance.targets import QUICK, REFERENCE, SPARK, Result

_LINE = "{:<12} {:>7} {:>9} {:>10} {:>8} {:>8}"


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
        tables = self.result.tables
        return _LINE.format(
            self.name, len(tables), sum(table.num_rows for table in tables.values()),
            sum(difference.rows for difference in self.differences), len(self.result.built.failed),
            f"{self.result.built.seconds:.1f}",
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


def main() -> int:
    names = [target.name for target in (*QUICK, *SPARK)]
    parser = argparse.ArgumentParser(prog="python -m scripts.conformance", description=__doc__)
    parser.add_argument("--only", action="append", choices=names, help="this engine; may be repeated")
    parser.add_argument("--contacts", type=int, default=150, help="size of the worlds")
    given = parser.parse_args()
    models = load_models(build.SQL)
    with tempfile.TemporaryDirectory(prefix="kreislauf-conformance-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        zone = worlds.land(folder, given.contacts)
        print(_LINE.format("engine", "tables", "rows", "differing", "failed", "seconds"), flush=True)
        reference = REFERENCE.run(folder / "reference", zone, models)
        verdicts = [verdict(REFERENCE.name, reference, reference, models)]
        print(verdicts[0].line(), flush=True)
        left_out = []
        for target in (*QUICK, *SPARK):
            if given.only and target.name not in given.only:
                continue
            if reason := target.missing():
                left_out.append(f"{target.name} is left out: {reason}")
                continue
            result = target.run(folder / target.name.replace(" ", "-"), zone, models)
            verdicts.append(verdict(target.name, reference, result, models))
            print(verdicts[-1].line(), flush=True)
    for text in [*left_out, *(str(each) for each in verdicts if not each.agrees)]:
        print(text)
    return 0 if all(each.agrees for each in verdicts) else 1


if __name__ == "__main__":
    sys.exit(main())
