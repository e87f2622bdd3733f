"""Shows what becomes of a SQL file: its statement for an engine, and its first rows.

    python -m scripts.sql segments/lapsed_buyers [--engine postgres] [--as-of 2026-01-01T00:00:00Z]

The rows come from the last published build, as of its moment, so they show an edited file before it
is built. With `--check`, every file is read and checked against the portable rules instead.
"""

from __future__ import annotations

import argparse
import sys
from datetime import UTC, datetime

import pyarrow

from kreislauf.places import INCLUDE
from kreislauf.warehouse.dialect import DIALECTS, PORTABLE
from kreislauf.warehouse.engines import BuildInfo, Engine, WarehouseError
from kreislauf.warehouse.lint import lint, lint_all
from kreislauf.warehouse.models import Model, ModelError, load_models
from kreislauf.warehouse.schema import Schema
from scripts import stores
from scripts.models import find

SQL = INCLUDE / "sql"
ROWS = 10


def main() -> int:
    arguments = _arguments()
    if arguments.check:
        findings = lint_all(SQL)
        print(*findings, sep="\n", end="\n" if findings else "")
        return 1 if findings else 0
    try:
        return show(arguments)
    except (ModelError, WarehouseError, LookupError) as error:
        print(error, file=sys.stderr)
        return 1


def show(arguments: argparse.Namespace) -> int:
    """Prints statement, findings and rows; 1 when the file breaks a rule."""
    models = load_models(SQL)
    model, engine = models[find(arguments.file, models)], stores.warehouse_if_any()
    published = engine.published() if engine else None
    as_of = arguments.as_of or (published.as_of if published else datetime.now(UTC))
    dialect = arguments.engine or (engine.dialect if engine else "duckdb")

    print(model.compile(dialect, as_of) if model.is_select else model.path.read_text(encoding="utf-8"))
    findings = lint(model, Schema(models))
    for finding in findings:
        print(f"\n{finding}", file=sys.stderr)
    if engine is None or published is None:
        print("\nNo build has been published yet, so there are no rows to show; `make run` makes one.")
        return 1 if findings else 0
    text = model.rendered(as_of) if model.is_select else _constants(model, engine, published)
    sample = f"select * from ({text}\n) as model limit {ROWS}"
    result = engine.arrow(sample, build_id=published.build_id)
    print(f"\nFirst rows, from build {published.build_id}:")
    print(_table(result.column_names, result.to_pylist()))
    return 1 if findings else 0


def _constants(model: Model, engine: Engine, build: BuildInfo) -> str:
    """What a Python model makes of the published tables, as a portable SELECT."""

    def read(table: str) -> pyarrow.Table:
        return engine.arrow(f"select * from {table}", build_id=build.build_id)

    return model.statement(PORTABLE, build.as_of, read)


def _table(columns: list[str], rows: list[dict]) -> str:
    cells = [columns, *([("" if row[c] is None else str(row[c]))[:40] for c in columns] for row in rows)]
    widths = [max(len(line[i]) for line in cells) for i in range(len(columns))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) for line in cells]
    return "\n".join([lines[0], "  ".join("-" * width for width in widths), *lines[1:]])


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="make sql",
        usage="make sql segments/lapsed_buyers, or python -m scripts.sql segments/lapsed_buyers [options]",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("file", nargs="?", help="layer/table, as in segments/lapsed_buyers")
    parser.add_argument("--engine", choices=DIALECTS, help="whose dialect to show; default: the warehouse's")
    parser.add_argument(
        "--as-of", type=stores.moment, help="the moment to look from; default: the published build's"
    )
    parser.add_argument("--check", action="store_true", help="check all files against the portable rules")
    arguments = parser.parse_args()
    if not arguments.file and not arguments.check:
        parser.error("name a file")
    return arguments


if __name__ == "__main__":
    sys.exit(main())
