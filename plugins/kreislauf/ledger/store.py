"""The ledger's database: opening it, transactions, migrations and the kill switch.

SQLite is one file beside the data; PostgreSQL is for a team. Both give the same promise: what
`write()` committed survives a killed process and a power cut.
"""

from __future__ import annotations

import os
import sqlite3
import tempfile
from collections.abc import Generator, Iterable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from sqlalchemy import URL, Connection, Engine, Table, create_engine, event, or_, select, text, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.pool import StaticPool

from kreislauf.ledger.schema import control

if TYPE_CHECKING:
    from kreislauf.connections import Connection as Address

Row = TypeVar("Row")

LOCK_TIMEOUT_MS = 60_000
"""How long a writer waits for another one before it gives up."""

EVERYTHING = "all"
"""The kill switch's scope that stops every flow."""


def utc_now() -> datetime:
    return datetime.now(UTC)


class Ledger:
    """One ledger. Safe to use from several processes at once; open it once in each process."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self._writer = engine.execution_options(kreislauf_write=True)

    @classmethod
    def open(cls, connection: Address) -> Ledger:
        """The ledger that an Airflow connection names: `sqlite` (host: a file) or `postgres`.

        Raises ValueError for another conn_type or a SQLite connection without a file.
        """
        if connection.conn_type == "sqlite":
            return cls(_sqlite_engine(connection))
        if connection.conn_type in {"postgres", "postgresql"}:
            return cls(_postgres_engine(connection))
        raise ValueError(
            f"connection {connection.conn_id!r}: the ledger runs on conn_type 'sqlite' or 'postgres', "
            f"not {connection.conn_type!r}"
        )

    @contextmanager
    def read(self) -> Generator[Connection]:
        """A transaction that only reads. It sees one state of the ledger and blocks nobody."""
        with self.engine.connect() as connection:
            yield connection

    @contextmanager
    def write(self) -> Generator[Connection]:
        """A transaction that writes: committed at the end, rolled back on an exception.

        On SQLite it takes the write lock at its beginning, so two writers queue up and never
        deadlock. Keep it short: no network in it.
        """
        with self._writer.begin() as connection:
            yield connection

    @contextmanager
    def rehearse(self) -> Generator[Connection]:
        """A transaction that writes and leaves nothing: to see what would happen. May take long.

        On SQLite, which has one writer at a time, it works on a copy of the file, so that nobody waits for
        it; on PostgreSQL it is rolled back. There only what decides waits, never what sends.
        """
        if self.engine.dialect.name == "sqlite":
            with _copy(self.engine) as copied:
                yield copied
            return
        with self._writer.connect() as connection:
            yield connection  # nothing commits; closing rolls back

    def migrate(self) -> None:
        """Bring the tables to this version. May be called by several processes at once."""
        from kreislauf.ledger.migrate import upgrade

        # SQLite cannot alter a table: it is made anew, and for a moment what refers to it has nothing.
        with self._writer.execution_options(kreislauf_migrates=True).begin() as connection:
            serialise(connection, "migrate")
            upgrade(connection)

    def pause(self, scope: str, by: str, reason: str | None = None) -> None:
        """Stop sending for a flow, or for everything (`EVERYTHING`), before the next batch."""
        self._switch(scope, True, by, reason)

    def resume(self, scope: str, by: str) -> None:
        """Take a pause back."""
        self._switch(scope, False, by, None)

    def is_paused(self, flow: str) -> bool:
        """Whether the kill switch is set for this flow or for everything."""
        with self.read() as connection:
            return connection.execute(select(paused(flow))).scalar_one()

    def _switch(self, scope: str, is_paused: bool, by: str, reason: str | None) -> None:
        row = {"is_paused": is_paused, "reason": reason, "changed_by": by, "changed_at": utc_now()}
        with self.write() as connection:
            found = connection.execute(update(control).where(control.c.scope == scope).values(row))
            if found.rowcount == 0:
                statement = insert_or_skip(connection, control)
                connection.execute(statement, [{"scope": scope, **row}])


def paused(flow: Any) -> Any:
    """SQL: true while the kill switch stops this flow, a name or a column."""
    return (
        select(control.c.scope)
        .where(control.c.is_paused, or_(control.c.scope == flow, control.c.scope == EVERYTHING))
        .exists()
    )


def insert_or_skip(connection: Connection, table: Table) -> Any:
    """An INSERT that leaves rows out whose key is already there (`ON CONFLICT DO NOTHING`)."""
    dialect = {"sqlite": sqlite, "postgresql": postgresql}[connection.dialect.name]
    return dialect.insert(table).on_conflict_do_nothing()


def serialise(connection: Connection, what: str) -> None:
    """Let one transaction at a time do `what`, until it ends.

    SQLite has one writer anyway; PostgreSQL needs a lock.
    """
    if connection.dialect.name == "postgresql":
        lock = text("select pg_advisory_xact_lock(hashtextextended(:what, 0))")
        connection.execute(lock, {"what": f"kreislauf {what}"})


def chunks(rows: Iterable[Row], size: int) -> Iterator[list[Row]]:
    """The rows in lists of at most `size`, so that memory does not grow with their number."""
    remaining = iter(rows)
    while chunk := list(islice(remaining, size)):
        yield chunk


def refresh_statistics(connection: Connection, *tables: Table) -> None:
    """Tell PostgreSQL's planner of rows just written in bulk; without it joins may take minutes."""
    if connection.dialect.name == "postgresql":
        names = ", ".join(f'"{table.name}"' for table in tables)
        connection.exec_driver_sql(f"analyze {names}")


@contextmanager
def _copy(engine: Engine) -> Generator[Connection]:
    """A connection to a copy of a SQLite ledger as it is now.

    Its file lies beside the ledger, loses its name once it is written, and so is gone with the process.
    """
    path = Path(engine.url.database)
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name}-", dir=path.parent)
    os.close(descriptor)
    raw = sqlite3.connect(name, isolation_level=None)
    copy = create_engine("sqlite://", creator=lambda: raw, poolclass=StaticPool, hide_parameters=True)
    try:
        with closing(sqlite3.connect(path)) as source:
            source.backup(raw)  # in one read transaction: it blocks nobody and sees one state
        raw.execute("pragma journal_mode = memory")  # a journal would need the file's name
        raw.execute("pragma synchronous = off")
        Path(name).unlink()
        with copy.connect() as connection:
            yield connection
    finally:
        copy.dispose()
        raw.close()
        Path(name).unlink(missing_ok=True)


def _sqlite_engine(connection: Address) -> Engine:
    if not connection.host:
        raise ValueError(f"connection {connection.conn_id!r}: host must be the ledger's file")
    path = Path(connection.host)
    path.parent.mkdir(parents=True, exist_ok=True)
    # Parameters are hidden in errors: they hold addresses, and errors end in logs.
    engine = create_engine(
        URL.create("sqlite", database=str(path)),
        hide_parameters=True,
        connect_args={"timeout": LOCK_TIMEOUT_MS / 1000},
    )

    @event.listens_for(engine, "connect")
    def _prepare(raw: Any, _record: Any) -> None:
        raw.isolation_level = None  # transactions begin where we say, not where the driver guesses
        raw.execute(f"pragma busy_timeout = {LOCK_TIMEOUT_MS}")
        if raw.execute("pragma journal_mode").fetchone()[0] != "wal":
            raw.execute("pragma journal_mode = wal")
        raw.execute("pragma synchronous = full")

    @event.listens_for(engine, "begin")
    def _begin(opened: Connection) -> None:
        options = opened.get_execution_options()
        is_write = options.get("kreislauf_write", False)
        # Only before a transaction can it be switched.
        opened.exec_driver_sql(
            f"pragma foreign_keys = {'off' if options.get('kreislauf_migrates') else 'on'}"
        )
        opened.exec_driver_sql("begin immediate" if is_write else "begin")

    return engine


def _postgres_engine(connection: Address) -> Engine:
    url = URL.create(
        "postgresql+psycopg",
        username=connection.login,
        password=connection.password,
        host=connection.host,
        port=connection.port,
        database=connection.schema,
    )
    timeout = f"-c lock_timeout={LOCK_TIMEOUT_MS} -c timezone=UTC"
    return create_engine(url, pool_pre_ping=True, hide_parameters=True, connect_args={"options": timeout})
