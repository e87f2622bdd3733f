"""The sandbox's state: one SQLite file, and the world's clock in it.

Everything the shop, the CRM, the mail provider and the world know is in `<home>/world.sqlite`.
It is generated once (`generate`), in a temporary file that is renamed when complete, and from then
on changed in transactions only: a sandbox that is killed continues where it was.
"""

from __future__ import annotations

import contextlib
import fcntl
import sqlite3
from collections.abc import Callable, Generator
from datetime import UTC, datetime
from pathlib import Path

from sandbox.crm.tables import SCHEMA as CRM_SCHEMA
from sandbox.mail.tables import SCHEMA as MAIL_SCHEMA
from sandbox.posted import SCHEMA as POSTED_SCHEMA
from sandbox.push.browsers import SCHEMA as PUSH_SCHEMA
from sandbox.shop.tables import SCHEMA as SHOP_SCHEMA
from sandbox.sms.people import SCHEMA as SMS_SCHEMA
from sandbox.world.tables import SCHEMA as WORLD_SCHEMA

FILE_NAME = "world.sqlite"

SCHEMAS = (WORLD_SCHEMA, SHOP_SCHEMA, CRM_SCHEMA, MAIL_SCHEMA, POSTED_SCHEMA, PUSH_SCHEMA, SMS_SCHEMA)


def iso(moment: datetime) -> str:
    """A moment as text, UTC, whole seconds, ending in Z: sorts like time."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def parse(text: str) -> datetime:
    """The aware UTC datetime of an ISO 8601 text; one without a zone is meant as UTC.

    Raises ValueError for text that is no date.
    """
    moment = datetime.fromisoformat(text)
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


class Store:
    """Access to the state of one sandbox. Safe to share between threads: each takes its own connection."""

    def __init__(self, home: Path, base_url: str = "") -> None:
        self.home = home
        self.path = home / FILE_NAME
        self.base_url = base_url.rstrip("/")
        """Where people and connectors reach this sandbox, for links in what it serves."""

    def connect(self) -> sqlite3.Connection:
        """A new connection with rows by name. Writing begins a transaction; `with db:` commits it."""
        return _connect(self.path)

    @contextlib.contextmanager
    def read(self) -> Generator[sqlite3.Connection]:
        """A connection whose queries all see the same moment of the store."""
        db = self.connect()
        try:
            db.execute("begin")
            yield db
        finally:
            db.rollback()
            db.close()

    @contextlib.contextmanager
    def write(self) -> Generator[sqlite3.Connection]:
        """A connection in a write transaction: committed at the end, rolled back on an exception."""
        db = self.connect()
        try:
            db.execute("begin immediate")
            yield db
            db.commit()
        except BaseException:
            db.rollback()
            raise
        finally:
            db.close()

    def now(self) -> datetime:
        """The moment the world has reached."""
        with self.read() as db:
            return parse(get(db, "now"))

    @property
    def seed(self) -> int:
        with self.read() as db:
            return int(get(db, "seed"))

    def generate(self, fill: Callable[[sqlite3.Connection], None]) -> None:
        """Create the file with all tables, unless there is one, and let `fill` write the first state.

        The file appears under its name only when complete; a generation that was cut off leaves
        nothing but a temporary file, which the next one replaces. Of two sandboxes that start in the
        same folder at once, the second waits and takes what the first has made.
        """
        self.home.mkdir(parents=True, exist_ok=True)
        with (self.home / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not self.path.exists():
                self._generate(fill)
            else:
                with contextlib.closing(self.connect()) as db:
                    _bring_up_to_date(db)

    def _generate(self, fill: Callable[[sqlite3.Connection], None]) -> None:
        draft = self.home / f"{FILE_NAME}.draft"
        draft.unlink(missing_ok=True)
        db = sqlite3.connect(draft, isolation_level=None)
        db.row_factory = sqlite3.Row
        db.execute("pragma journal_mode = off")
        db.execute("pragma synchronous = off")
        for schema in SCHEMAS:
            db.executescript(schema)
        db.execute("begin")
        fill(db)
        db.execute("commit")
        db.execute("pragma journal_mode = wal")
        db.close()
        draft.replace(self.path)


def _bring_up_to_date(db: sqlite3.Connection) -> None:
    """Add the tables and columns that a store made by an older version lacks."""
    with contextlib.closing(sqlite3.connect(":memory:")) as model:
        for schema in SCHEMAS:
            db.executescript(schema)
            model.executescript(schema)
        for (table,) in model.execute("select name from sqlite_master where type = 'table'").fetchall():
            known = {row["name"] for row in db.execute(f"pragma table_info({table})")}
            for _, name, type_, is_required, default, _ in model.execute(f"pragma table_info({table})"):
                if name not in known:
                    rule = f" not null default {default}" if is_required else ""
                    db.execute(f"alter table {table} add column {name} {type_}{rule}")
        db.commit()


def get(db: sqlite3.Connection, key: str, default: str | None = None) -> str:
    """A value of the world's own settings. Raises KeyError if it is missing and has no default."""
    row = db.execute("select value from world_settings where key = ?", (key,)).fetchone()
    if row is not None:
        return row["value"]
    if default is None:
        raise KeyError(f"The sandbox's store has no setting '{key}'. Delete its home folder and start again.")
    return default


def put(db: sqlite3.Connection, key: str, value: str) -> None:
    """Set a value of the world's own settings."""
    db.execute("insert or replace into world_settings (key, value) values (?, ?)", (key, value))


def _connect(path: Path) -> sqlite3.Connection:
    db = sqlite3.connect(path, timeout=60, isolation_level="IMMEDIATE", check_same_thread=False)
    db.row_factory = sqlite3.Row
    db.execute("pragma synchronous = normal")
    return db
