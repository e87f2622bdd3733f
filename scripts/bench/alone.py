"""Three models alone, each in a process of its own: what pandas is compared with.

The model's own statement over the tables of the last build, written as the embedded warehouse writes it.
"""

from __future__ import annotations

import os
import resource
import tempfile
from pathlib import Path
from typing import Any

import duckdb

from kreislauf.warehouse.models import load_models
from scripts.bench.build import SQL, literal, published_engine
from scripts.bench.dbt import SETTINGS
from scripts.bench.measure import Stopwatch


def purchase_history(folder: Path, size: int) -> dict[str, Any]:
    return _run(folder, "core.purchase_history")


def rfm(folder: Path, size: int) -> dict[str, Any]:
    return _run(folder, "scores.rfm")


def cohort_retention(folder: Path, size: int) -> dict[str, Any]:
    return _run(folder, "reports.cohort_retention")


def table_folder(folder: Path, table: str) -> Path:
    """Where the Parquet files of a table of the published build are."""
    build = published_engine(folder).published()
    if build is None:
        raise RuntimeError(f"there is no build in {folder} to read {table} from")
    return folder / "warehouse" / "builds" / build.build_id / table.replace(".", "/")


def checked(folder: Path, table: str, result: Path, watch: Stopwatch) -> dict[str, Any]:
    """A step's figures, if the file has exactly the rows of the published table.

    Raises RuntimeError when it has not.
    """
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024  # comparing is not part of it
    files = f"read_parquet({literal(table_folder(folder, table) / '*' / '*.parquet')})"
    with duckdb.connect(config=SETTINGS) as database:
        columns = ", ".join(
            f'"{column[0]}"' for column in database.execute(f"describe from {files}").fetchall()
        )
        one, other = (
            f"select {columns} from {files}",
            f"select {columns} from read_parquet({literal(result)})",
        )
        differing, rows = database.execute(
            f"select (select count(*) from ({one} except all {other}))"
            f" + (select count(*) from ({other} except all {one})), (select count(*) from ({other}))"
        ).fetchone()
    if differing:
        raise RuntimeError(f"{table}: {differing} rows are not those of the build")
    return watch.result(rows, peak_mb=peak)


def _run(folder: Path, table: str) -> dict[str, Any]:
    build = published_engine(folder).published()
    model = load_models(SQL)[table]
    select = model.statement("duckdb", build.as_of, None)
    result = folder / f"{table}.parquet"
    with Stopwatch() as watch, tempfile.TemporaryDirectory(dir=folder) as spill:
        with duckdb.connect(config=SETTINGS | {"temp_directory": spill}) as database:
            for name in model.depends_on:
                files = literal(table_folder(folder, name) / "*" / "*.parquet")
                schema = name.partition(".")[0]
                database.execute(f"create schema if not exists {schema}")
                database.execute(f"create view {name} as select * from read_parquet({files})")
            database.execute(f"copy ({select}) to {literal(result)} (format parquet, compression zstd)")
        with result.open("rb") as file:
            os.fsync(file.fileno())
    return checked(folder, table, result, watch)
