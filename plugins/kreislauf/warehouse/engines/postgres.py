"""The team's warehouse: PostgreSQL 15 or newer.

A build has a schema of its own, `build_<id>`, with tables named "layer.table". Readers and analysts
find the published build as views `layer.table`, switched in one transaction. `raw` is one set of
tables that grows; `warehouse` keeps the book: builds, their tables, the parts loaded into raw.

A table that is unchanged since the published build is not written again: the new build points to it;
also when it was computed anew and has the same rows, so that what reads it is not computed either.
"""

# ruff: file-ignore[hardcoded-sql-expression]: names of tables and columns are ours; values are bound

from __future__ import annotations

import contextlib
import re
import secrets
from collections.abc import Generator, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg.rows import tuple_row
from sqlglot import exp

from kreislauf.warehouse.dialect import parse
from kreislauf.warehouse.engines import base, postgres_raw
from kreislauf.warehouse.engines.base import BuildInfo, Engine, WarehouseError
from kreislauf.warehouse.models import LAYERS

if TYPE_CHECKING:
    import pyarrow

    from kreislauf.landing.manifest import Manifest

# The planner takes `row_number() = 1` for one row and chooses nested loops: minutes instead of seconds.
SESSION = "-c timezone=UTC -c enable_nestloop=off -c jit=off -c work_mem=256MB -c client_min_messages=warning"

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
alter table warehouse.tables add column if not exists content text;
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
_BATCH_ROWS = 5_000


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
                """with relations as (
                       select 'table' as kind, schemaname, tablename as name from pg_tables
                       union all select 'view', schemaname, viewname from pg_views
                   )
                   select kind, format('%I.%I', schemaname, name) from relations
                   where schemaname like 'build\\_%' and format('%I.%I', schemaname, name)
                       not in (select location from warehouse.tables)"""
            ).fetchall()
            for kind, location in unused:
                cursor.execute(f"drop {kind} {location} cascade")
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
        with self._transaction(lock=True) as cursor:
            loaded = postgres_raw.load(cursor, list(manifests), build.as_of)
            for name, (rows, mark, where) in loaded.items():
                location = f"raw.{name}"
                if where:
                    location = f'{_schema(build.build_id)}."raw.{name}"'
                    cursor.execute(
                        f"create or replace view {location} as select * from raw.{name} where {where}"
                    )
                self._note(cursor, build.build_id, f"raw.{name}", location, rows, mark, mark)
        return {name: rows for name, (rows, _, _) in loaded.items()}

    def create_table(self, build: BuildInfo, table: str, select: str) -> int:
        physical = f'"{table}"'
        if len(table) > 63:
            raise WarehouseError(
                f"{table}: a name in PostgreSQL has at most 63 characters; shorten the file's name"
            )
        with self._transaction() as cursor:
            contents = dict(
                cursor.execute(
                    "select table_name, coalesce(content, fingerprint) from warehouse.tables"
                    " where build_id = %s",
                    [build.build_id],
                ).fetchall()
            )
            inputs = {name: contents[name] for name in base.references(select) if name in contents}
            inputs.pop(table, None)
            mark = base.fingerprint(select, inputs)
            before = cursor.execute(
                """select t.location, t.rows, t.fingerprint, coalesce(t.content, t.fingerprint)
                   from warehouse.tables t join warehouse.state s on s.published = t.build_id
                   where t.table_name = %s""", [table]
            ).fetchone()  # fmt: skip
            if before is not None and before[2] == mark:
                self._note(cursor, build.build_id, table, before[0], before[1], mark, before[3])
                return before[1]
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
            if before and before[1] == rows and _digest(cursor, before[0]) == _digest(cursor, location):
                cursor.execute(f"drop table {location}")
                self._note(cursor, build.build_id, table, before[0], rows, mark, before[3])
                return rows
            cursor.execute(f"analyze {location}")
            self._note(cursor, build.build_id, table, location, rows, mark, mark)
            return rows

    def _note(
        self,
        cursor: psycopg.Cursor,
        build_id: str,
        table: str,
        location: str,
        rows: int,
        mark: str,
        content: str,
    ) -> None:
        """Book a table. `mark` tells what it was made of, `content` which rows came of it."""
        cursor.execute(
            """insert into warehouse.tables (build_id, table_name, location, rows, fingerprint, content)
               values (%s, %s, %s, %s, %s, %s) on conflict (build_id, table_name)
               do update set location = excluded.location, rows = excluded.rows,
                             fingerprint = excluded.fingerprint, content = excluded.content""",
            [build_id, table, location, rows, mark, content],
        )

    # ------------------------------------------------------------------------------- reading

    def arrow(
        self, sql: str, params: Mapping[str, Any] | None = None, build_id: str | None = None
    ) -> pyarrow.Table:
        import pyarrow

        from kreislauf.warehouse.engines.postgres_arrow import arrow_schema, record_batch

        with self._run(sql, params, build_id) as cursor:
            schema = arrow_schema(cursor)
            return pyarrow.Table.from_batches([record_batch(cursor.fetchall(), schema)], schema)

    def batches(
        self, sql: str, params: Mapping[str, Any] | None = None, build_id: str | None = None
    ) -> Iterator[pyarrow.RecordBatch]:
        from kreislauf.warehouse.engines.postgres_arrow import arrow_schema, record_batch

        with self._run(sql, params, build_id, name=f"batches_{secrets.token_hex(4)}") as cursor:
            while rows := cursor.fetchmany(_BATCH_ROWS):
                yield record_batch(rows, arrow_schema(cursor))

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
        """The statement with the build's own tables, and parameters as psycopg takes them."""
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
        return re.sub(r"\x00([^\x00]+)\x00", r"%(\1)s", tree.sql("postgres").replace("%", "%%"))

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


def _schema(build_id: str) -> str:
    if not re.fullmatch(r"[0-9A-Za-z-]+", build_id):
        raise WarehouseError(f"{build_id!r} is no build id")
    return "build_" + build_id.lower().replace("-", "_")


def _digest(cursor: psycopg.Cursor, location: str) -> tuple:
    """Of a table's rows, whatever their order. Two sums, as in the embedded warehouse."""
    return cursor.execute(
        f"""select array_agg(attname || ' ' || format_type(atttypid, atttypmod) order by attnum),
                   (select sum(hashtextextended(cast(t as text), 0)) from {location} as t),
                   (select sum(hashtextextended(cast(t as text), 1)) from {location} as t)
            from pg_attribute where attrelid = to_regclass(%s) and attnum > 0""",
        [location],
    ).fetchone()


def _without_values(error: psycopg.Error) -> str:
    """PostgreSQL's message without its details, and without the value that an error of data repeats."""
    text = error.diag.message_primary or type(error).__name__
    return re.sub(r'"[^"]*"', "…", text) if isinstance(error, psycopg.DataError) else text
