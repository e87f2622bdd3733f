"""The team's warehouse: PostgreSQL 15 or newer.

A build has a schema of its own, `build_<id>`, with tables named "layer.table". Readers and analysts
find the published build as views `layer.table`, switched in one transaction. `raw` is one set of
tables that grows; `warehouse` keeps the book: builds, their tables, the parts loaded into raw.

A table that is unchanged since the published build is not written again: the new build points to it.
"""

from __future__ import annotations

import contextlib
import io
import re
import secrets
from collections.abc import Generator, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg.rows import tuple_row
from sqlglot import exp

from kreislauf.warehouse.dialect import parse
from kreislauf.warehouse.engines import base
from kreislauf.warehouse.engines.base import BuildInfo, Engine, WarehouseError
from kreislauf.warehouse.models import LAYERS
from kreislauf.warehouse.raw import Columns, raw_columns

if TYPE_CHECKING:
    import pyarrow

    from kreislauf.landing.manifest import Manifest

# The planner takes `row_number() = 1` for one row and chooses nested loops: minutes instead of seconds.
SESSION = "-c timezone=UTC -c enable_nestloop=off -c jit=off -c work_mem=256MB -c client_min_messages=warning"

COLLATIONS = ("pg_c_utf8", "C.utf8", "C.UTF-8")
"""Orders text by code point, as DuckDB and Spark do, and knows the case of every letter."""

_BOOK = """
create schema if not exists warehouse;
create schema if not exists raw;
create table if not exists warehouse.builds (
    build_id text primary key, as_of timestamp not null,
    begun_at timestamptz not null default clock_timestamp(), published_at timestamptz
);
create table if not exists warehouse.tables (
    build_id text not null references warehouse.builds on delete cascade,
    table_name text not null, location text not null, rows bigint not null, fingerprint text not null,
    primary key (build_id, table_name)
);
create table if not exists warehouse.parts (
    table_name text not null, source text not null, stream text not null, run text not null,
    sha256 text not null, rows bigint not null,
    primary key (table_name, source, stream, run)
);
create table if not exists warehouse.state (
    only_row boolean primary key default true check (only_row), published text, blocked text
);
insert into warehouse.state default values on conflict do nothing;
"""
_LOCK = 7205759403792794  # an arbitrary key; whoever writes the book or raw holds it
_BATCH_ROWS = 50_000


class PostgresEngine(Engine):
    """A database; the keywords are libpq's. Needs the right to create schemas in it."""

    dialect = "postgres"

    def __init__(self, **connection: Any) -> None:
        self._where = {name: value for name, value in connection.items() if value}
        self._has_book = False

    # ------------------------------------------------------------------------------- builds

    def published(self) -> BuildInfo | None:
        with self._transaction() as cursor:
            build_id = cursor.execute("select published from warehouse.state").fetchone()[0]
            return self._build(cursor, build_id) if build_id else None

    def build(self, build_id: str) -> BuildInfo:
        with self._transaction() as cursor:
            return self._build(cursor, build_id)

    def _build(self, cursor: psycopg.Cursor, build_id: str) -> BuildInfo:
        found = cursor.execute(
            "select as_of from warehouse.builds where build_id = %s", [build_id]
        ).fetchone()
        if found is None:
            raise WarehouseError(f"there is no build {build_id}; it was removed, or never begun")
        tables = cursor.execute(
            "select table_name, rows from warehouse.tables where build_id = %s order by table_name",
            [build_id],
        )
        return BuildInfo(build_id, found[0].replace(tzinfo=UTC), dict(tables.fetchall()))

    def begin_build(self, as_of: datetime) -> BuildInfo:
        build = BuildInfo(base.new_build_id(as_of), as_of.astimezone(UTC))
        with self._transaction() as cursor:
            cursor.execute(f"create schema {_schema(build.build_id)}")
            cursor.execute(
                "insert into warehouse.builds (build_id, as_of) values (%s, %s)",
                [build.build_id, build.as_of.replace(tzinfo=None)],
            )
        return build

    def publish(self, build: BuildInfo) -> None:
        with self._transaction(lock=True) as cursor:
            self._build(cursor, build.build_id)
            cursor.execute(
                "update warehouse.builds set published_at = clock_timestamp() where build_id = %s",
                [build.build_id],
            )
            cursor.execute("update warehouse.state set published = %s, blocked = null", [build.build_id])
            self._switch_views(cursor, build.build_id)

    def block(self, build: BuildInfo, reason: str) -> None:
        with self._transaction() as cursor:
            cursor.execute("update warehouse.state set blocked = %s", [f"build {build.build_id}: {reason}"])

    def blocked(self) -> str | None:
        with self._transaction() as cursor:
            return cursor.execute("select blocked from warehouse.state").fetchone()[0]

    def drop_old(self, keep: int = 3) -> list[str]:
        with self._transaction(lock=True) as cursor:
            builds = cursor.execute(
                "select build_id, begun_at, published_at from warehouse.builds"
            ).fetchall()
            published = cursor.execute("select published from warehouse.state").fetchone()[0]
            dropped = base.removable(builds, published, keep, datetime.now(UTC))
            cursor.execute("delete from warehouse.builds where build_id = any(%s)", [dropped])
            unused = cursor.execute(
                """select format('%I.%I', schemaname, tablename) from pg_tables
                   where schemaname like 'build\\_%' and format('%I.%I', schemaname, tablename)
                       not in (select location from warehouse.tables)"""
            ).fetchall()
            for (location,) in unused:
                cursor.execute(f"drop table {location} cascade")
            empty = cursor.execute(
                """select nspname from pg_namespace
                   where nspname like 'build\\_%' and nspname <> all(
                       select 'build_' || lower(replace(build_id, '-', '_')) from warehouse.builds)
                   and not exists (select 1 from pg_class where relnamespace = pg_namespace.oid)"""
            ).fetchall()
            for (schema,) in empty:
                cursor.execute(f"drop schema {schema}")
        return dropped

    def _switch_views(self, cursor: psycopg.Cursor, build_id: str) -> None:
        wanted = self._locations(cursor, build_id)
        there = cursor.execute(
            "select schemaname || '.' || viewname from pg_views where schemaname = any(%s)",
            [list(LAYERS[1:])],
        )
        for (view,) in there.fetchall():
            if view not in wanted:
                cursor.execute(f"drop view {view} cascade")
        for table, location in wanted.items():
            layer, name = table.split(".")
            if layer == "raw":
                continue
            cursor.execute(f"create schema if not exists {layer}")
            try:
                with cursor.connection.transaction():
                    cursor.execute(f"create or replace view {layer}.{name} as select * from {location}")
            except psycopg.errors.InvalidTableDefinition:  # other columns than before
                cursor.execute(f"drop view {layer}.{name} cascade")
                cursor.execute(f"create view {layer}.{name} as select * from {location}")

    # ------------------------------------------------------------------------------- writing

    def load_raw(self, build: BuildInfo, manifests: Iterable[Manifest]) -> dict[str, int]:
        manifests = list(manifests)
        rows = {}
        with self._transaction(lock=True) as cursor:
            collation = self._collation(cursor)
            for name, columns in raw_columns().items():
                if self._make_raw(cursor, name, columns, collation):
                    cursor.execute("delete from warehouse.parts where table_name = %s", [name])
                if name == "manifests":
                    self._load_manifests(cursor, manifests)
                else:
                    self._load_parts(cursor, name, columns, manifests)
                rows[name] = cursor.execute(f"select count(*) from raw.{name}").fetchone()[0]
                mark = self._raw_fingerprint(cursor, name, manifests)
                self._note(cursor, build.build_id, f"raw.{name}", f"raw.{name}", rows[name], mark)
        return rows

    def _make_raw(self, cursor: psycopg.Cursor, name: str, columns: Columns, collation: str) -> bool:
        """Create the raw table, also when its declaration has changed; whether it was created."""
        there = cursor.execute(
            """select column_name from information_schema.columns
               where table_schema = 'raw' and table_name = %s order by ordinal_position""", [name]
        ).fetchall()  # fmt: skip
        if [column for (column,) in there] == list(columns):
            return False
        cursor.execute(f"drop table if exists raw.{name} cascade")
        cursor.execute(f"create table raw.{name} ({column_definitions(columns, collation)})")
        return True

    def _load_parts(
        self, cursor: psycopg.Cursor, name: str, columns: Columns, manifests: list[Manifest]
    ) -> None:
        known = {
            (source, stream, run): sha256
            for source, stream, run, sha256 in cursor.execute(
                "select source, stream, run, sha256 from warehouse.parts where table_name = %s", [name]
            )
        }
        wanted = {(m.source, m.stream, m.run): m for m in manifests if name in m.tables}
        for key, sha256 in known.items():
            if key not in wanted or wanted[key].tables[name]["sha256"] != sha256:
                cursor.execute(f"delete from raw.{name} where _run = %s", [key[2]])
                cursor.execute(
                    "delete from warehouse.parts where table_name = %s and source = %s and stream = %s and run = %s",
                    [name, *key],
                )
        new = [
            m for key, m in wanted.items() if known.get(key) != m.tables[name]["sha256"]
        ]  # fmt: skip
        if not new:
            return
        self._copy_files(cursor, name, columns, [m.table_path(name) for m in new])
        cursor.executemany(
            "insert into warehouse.parts values (%s, %s, %s, %s, %s, %s)",
            [
                (name, m.source, m.stream, m.run, m.tables[name]["sha256"], m.tables[name]["rows"])
                for m in new
            ],
        )
        cursor.execute(f"analyze raw.{name}")

    def _copy_files(self, cursor: psycopg.Cursor, name: str, columns: Columns, files: list[str]) -> None:
        import duckdb
        from pyarrow import csv

        from kreislauf.warehouse.engines.parquet import raw_relation

        options = csv.WriteOptions(include_header=False)
        with (
            duckdb.connect() as reader,
            cursor.copy(f"copy raw.{name} from stdin (format csv)") as copy,
        ):
            for batch in reader.sql(raw_relation(columns, files)).to_arrow_reader(_BATCH_ROWS):
                text = io.BytesIO()
                csv.write_csv(batch, text, options)
                copy.write(text.getvalue())

    def _load_manifests(self, cursor: psycopg.Cursor, manifests: list[Manifest]) -> None:
        cursor.execute("truncate raw.manifests")
        with cursor.copy("copy raw.manifests from stdin") as copy:
            for m in manifests:
                rows = sum(part["rows"] for part in m.tables.values())
                window = (_naive(m.window.since), _naive(m.window.until), _naive(m.as_of))
                copy.write_row((m.run, m.source, m.stream, *window, rows))
        cursor.execute("analyze raw.manifests")

    def _raw_fingerprint(self, cursor: psycopg.Cursor, name: str, manifests: list[Manifest]) -> str:
        if name == "manifests":
            return base.parts_fingerprint([f"{m.source}/{m.stream}/{m.run}" for m in manifests])
        parts = cursor.execute("select sha256 from warehouse.parts where table_name = %s", [name]).fetchall()
        return base.parts_fingerprint([sha256 for (sha256,) in parts])

    def create_table(self, build: BuildInfo, table: str, select: str) -> int:
        physical = f'"{table}"'
        if len(table) > 63:
            raise WarehouseError(
                f"{table}: a name in PostgreSQL has at most 63 characters; shorten the file's name"
            )
        with self._transaction() as cursor:
            prints = dict(
                cursor.execute(
                    "select table_name, fingerprint from warehouse.tables where build_id = %s",
                    [build.build_id],
                ).fetchall()
            )
            inputs = {
                name: prints[name] for name in base.references(select) if name in prints and name != table
            }
            mark = base.fingerprint(select, inputs)
            same = cursor.execute(
                """select t.location, t.rows from warehouse.tables t join warehouse.state s on s.published = t.build_id
                   where t.table_name = %s and t.fingerprint = %s""", [table, mark]
            ).fetchone()  # fmt: skip
            if same is not None:
                self._note(cursor, build.build_id, table, *same, mark)
                return same[1]
            location = f"{_schema(build.build_id)}.{physical}"
            statement = self._physical(cursor, select, build.build_id)
            cursor.execute(f"drop table if exists {location}")
            try:
                cursor.execute(f"create table {location} as {statement}")
            except psycopg.Error as error:
                raise WarehouseError(
                    f"{table} of build {build.build_id} could not be written: {_without_values(error)}"
                ) from None
            rows = cursor.rowcount
            cursor.execute(f"analyze {location}")
            self._note(cursor, build.build_id, table, location, rows, mark)
            return rows

    def _note(
        self, cursor: psycopg.Cursor, build_id: str, table: str, location: str, rows: int, mark: str
    ) -> None:
        cursor.execute(
            """insert into warehouse.tables values (%s, %s, %s, %s, %s) on conflict (build_id, table_name)
               do update set location = excluded.location, rows = excluded.rows, fingerprint = excluded.fingerprint""",
            [build_id, table, location, rows, mark],
        )

    # ------------------------------------------------------------------------------- reading

    def arrow(
        self, sql: str, params: Mapping[str, Any] | None = None, build_id: str | None = None
    ) -> pyarrow.Table:
        import pyarrow

        with self._run(sql, params, build_id) as cursor:
            schema = _arrow_schema(cursor)
            return pyarrow.Table.from_batches([_batch(cursor.fetchall(), schema)], schema)

    def batches(
        self, sql: str, params: Mapping[str, Any] | None = None, build_id: str | None = None
    ) -> Iterator[pyarrow.RecordBatch]:
        with self._run(sql, params, build_id, name=f"batches_{secrets.token_hex(4)}") as cursor:
            while rows := cursor.fetchmany(_BATCH_ROWS):
                yield _batch(rows, _arrow_schema(cursor))

    @contextlib.contextmanager
    def _run(
        self, sql: str, params: Mapping[str, Any] | None, build_id: str | None, name: str = ""
    ) -> Generator[psycopg.Cursor]:
        """A cursor with the result; with a name the server keeps the rows until they are fetched."""
        build_id = self._resolve(build_id)
        compiled, values = base.bind(sql, params, self.dialect)
        with self._transaction() as cursor:
            self._build(cursor, build_id)
            statement = self._physical(cursor, compiled, build_id)
            result = cursor.connection.cursor(name) if name else cursor
            try:
                yield result.execute(statement, values or None)
            except psycopg.Error as error:
                raise WarehouseError(f"query on build {build_id}: {_without_values(error)}") from None

    def _physical(self, cursor: psycopg.Cursor, sql: str, build_id: str) -> str:
        """The statement with the build's tables in place of `layer.table`, parameters as psycopg takes them."""
        locations = self._locations(cursor, build_id)
        tree = parse(sql)
        for table in tree.find_all(exp.Table):
            name = f"{table.db}.{table.name}"
            if table.db in LAYERS:
                if name not in locations:
                    raise WarehouseError(f"build {build_id} has no table {name} (yet)")
                found = exp.to_table(locations[name], dialect="postgres")
                table.set("db", found.args["db"])
                table.set("this", found.args["this"])
                if not table.alias:
                    table.set("alias", exp.TableAlias(this=exp.to_identifier(name.partition(".")[2])))
        marks = {node.name: f"\x00{node.name}\x00" for node in tree.find_all(exp.Placeholder)}
        if not marks:
            return tree.sql("postgres")
        for node in list(tree.find_all(exp.Placeholder)):
            node.replace(exp.Var(this=marks[node.name]))
        return re.sub("\x00([^\x00]+)\x00", r"%(\1)s", tree.sql("postgres").replace("%", "%%"))

    def _locations(self, cursor: psycopg.Cursor, build_id: str) -> dict[str, str]:
        found = cursor.execute(
            "select table_name, location from warehouse.tables where build_id = %s", [build_id]
        )
        return dict(found.fetchall())

    @contextlib.contextmanager
    def _transaction(self, *, lock: bool = False) -> Generator[psycopg.Cursor]:
        with psycopg.connect(**self._where, options=SESSION, row_factory=tuple_row) as connection:
            cursor = connection.cursor()
            if lock or not self._has_book:
                cursor.execute("select pg_advisory_xact_lock(%s)", [_LOCK])
            if not self._has_book:
                cursor.execute(_BOOK)
                if not lock:
                    connection.commit()
                self._has_book = True
            yield cursor

    def _collation(self, cursor: psycopg.Cursor) -> str:
        found = cursor.execute(
            "select collname from pg_collation where collname = any(%s)", [list(COLLATIONS)]
        ).fetchall()
        for collation in COLLATIONS:
            if (collation,) in found:
                return collation
        raise WarehouseError(
            f"the database has none of the collations {', '.join(COLLATIONS)}, so text would be ordered otherwise "
            "than on other engines; install the C.UTF-8 locale on its host and run pg_import_system_collations()"
        )


def column_definitions(columns: Columns, collation: str = "C") -> str:
    """The column list of CREATE TABLE. Tables made from it inherit the collation of their texts."""
    types = {
        "VARCHAR": f'text collate "{collation}"',
        "DOUBLE": "double precision",
        "HUGEINT": "numeric(38, 0)",
    }
    return ", ".join(f'"{name}" {types.get(type, type)}' for name, type in columns.items())


def _schema(build_id: str) -> str:
    if not re.fullmatch(r"[0-9A-Za-z-]+", build_id):
        raise WarehouseError(f"{build_id!r} is no build id")
    return "build_" + build_id.lower().replace("-", "_")


def _arrow_schema(cursor: psycopg.Cursor) -> pyarrow.Schema:
    import pyarrow as pa

    simple = {
        "bool": pa.bool_(), "int2": pa.int16(), "int4": pa.int32(), "int8": pa.int64(), "float4": pa.float32(),
        "float8": pa.float64(), "date": pa.date32(), "timestamp": pa.timestamp("us"),
        "timestamptz": pa.timestamp("us", "UTC"),
    }  # fmt: skip
    fields = []
    for column in cursor.description:
        name = psycopg.adapters.types[column.type_code].name if column.type_code in _known_oids() else "text"
        if name == "numeric":
            # An expression's numeric has no digits of its own.
            type = pa.decimal128(column.precision or 38, column.scale or 0 if column.precision else 9)
        else:
            type = simple.get(name, pa.string())
        fields.append(pa.field(column.name, type))
    return pa.schema(fields)


def _known_oids() -> set[int]:
    return {info.oid for info in psycopg.adapters.types}


def _batch(rows: list[tuple], schema: pyarrow.Schema) -> pyarrow.RecordBatch:
    import pyarrow as pa

    columns = list(zip(*rows, strict=True)) or [()] * len(schema)
    return pa.RecordBatch.from_arrays(
        [
            pa.array([_exact(v, f.type) for v in column], f.type)
            for column, f in zip(columns, schema, strict=True)
        ],
        schema=schema,
    )


def _exact(value: Any, type: pyarrow.DataType) -> Any:
    if isinstance(value, Decimal):
        return value.quantize(Decimal(1).scaleb(-type.scale))
    return value


def _naive(moment: datetime | None) -> datetime | None:
    return moment and moment.astimezone(UTC).replace(tzinfo=None)


def _without_values(error: psycopg.Error) -> str:
    """PostgreSQL's message without its details, and without the value that an error of data repeats."""
    text = error.diag.message_primary or type(error).__name__
    return re.sub(r'"[^"]*"', "…", text) if isinstance(error, psycopg.DataError) else text
