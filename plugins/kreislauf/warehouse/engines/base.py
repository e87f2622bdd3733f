"""What an engine does: write a build beside the published one, publish it with one switch, read.

A build is a set of tables as of one moment. It is written table by table, by as many processes as
one likes; nobody sees it until it is published. Readers name the build they read, or get the
published one.
"""

from __future__ import annotations

import hashlib
import itertools
import re
import secrets
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from sqlglot import exp

from kreislauf.warehouse.dialect import compile_sql, parse
from kreislauf.warehouse.models import LAYERS

if TYPE_CHECKING:
    import pyarrow

    from kreislauf.landing.manifest import Manifest

READERS_FINISH_WITHIN = timedelta(hours=1)
"""A build stays this long after the next was published: a reader that named it may still read."""

ABANDONED_AFTER = timedelta(days=1)
"""A build that was not published this long after it began is left over from a failed run."""

_REFERENCE = re.compile(rf"\b({'|'.join(LAYERS)})\.([a-z_][a-z0-9_]*)")
_COMMENT = re.compile(r"^[ ]*--.*$|/\*[\s\S]*?\*/", re.MULTILINE)


class WarehouseError(RuntimeError):
    """The warehouse cannot do what was asked; says which table of which build, and what to do."""


class NothingPublished(WarehouseError):
    """No build has been published yet."""

    def __init__(self) -> None:
        super().__init__("no build has been published yet; run the DAG build_warehouse first")


@dataclass(frozen=True)
class BuildInfo:
    """A build: its id (sorts by `as_of`), its moment (aware, UTC), rows of each table written so far."""

    build_id: str
    as_of: datetime
    tables: dict[str, int] = field(default_factory=dict)


class Engine(ABC):
    """One warehouse. SQL given to `create_table` is in the engine's dialect, to readers portable."""

    dialect: str

    @abstractmethod
    def published(self) -> BuildInfo | None:
        """The build that readers get; None before the first."""

    @abstractmethod
    def build(self, build_id: str) -> BuildInfo:
        """A build by its id. Raises WarehouseError when there is none (any more)."""

    @abstractmethod
    def begin_build(self, as_of: datetime) -> BuildInfo:
        """A new, empty build as of an aware moment."""

    @abstractmethod
    def load_raw(self, build: BuildInfo, manifests: Iterable[Manifest]) -> dict[str, int]:
        """Make what the manifests name the build's raw tables; rows of their parts. May be repeated.

        A build has only the rows from before its `as_of`, though parts may hold later ones.
        A raw table without rows exists and is empty.
        """

    @abstractmethod
    def create_table(self, build: BuildInfo, table: str, select: str) -> int:
        """Write `layer.table` of the build as the result of a compiled SELECT; its rows.

        Appears complete or not at all; may be repeated. A table whose SQL and inputs are those of
        the published build is taken over from there. Raises WarehouseError, without values of rows.
        """

    @abstractmethod
    def publish(self, build: BuildInfo) -> None:
        """Make the build the one that readers get, at once and whole; lifts a block."""

    @abstractmethod
    def drop_old(self, keep: int = 3) -> list[str]:
        """Remove old builds except the last `keep` published ones and those a reader may still use.

        Returns the ids of the removed ones.
        """

    @abstractmethod
    def block(self, build: BuildInfo, reason: str) -> None:
        """Note that a build failed its audit; the published build stays."""

    @abstractmethod
    def blocked(self) -> str | None:
        """Why the last build was not published, until the next one is; None when all is well."""

    @abstractmethod
    def batches(
        self, sql: str, params: Mapping[str, Any] | None = None, build_id: str | None = None
    ) -> Iterator[pyarrow.RecordBatch]:
        """The result of a portable SELECT, part by part: memory does not grow with the result."""

    @abstractmethod
    def arrow(
        self, sql: str, params: Mapping[str, Any] | None = None, build_id: str | None = None
    ) -> pyarrow.Table:
        """The result of a portable SELECT. Moments are UTC without a zone."""

    def query(
        self, sql: str, params: Mapping[str, Any] | None = None, build_id: str | None = None
    ) -> list[dict[str, Any]]:
        """The result of a portable SELECT as rows; `:name` in the SQL is bound from `params`.

        `layer.table` names tables of the given build, or of the published one. Aware moments in
        `params` are turned to UTC. Raises NothingPublished, or WarehouseError.
        """
        return self.arrow(sql, params, build_id).to_pylist()

    def _resolve(self, build_id: str | None) -> str:
        if build_id is not None:
            return build_id
        build = self.published()
        if build is None:
            raise NothingPublished
        return build.build_id


def new_build_id(as_of: datetime) -> str:
    """Sorts by `as_of`; the tail keeps two builds of one moment apart."""
    if as_of.tzinfo is None:
        raise ValueError(f"{as_of!r} has no time zone; as_of is an aware moment")
    return f"{as_of.astimezone(UTC):%Y%m%dT%H%M%SZ}-{secrets.token_hex(3)}"


def references(sql: str) -> list[str]:
    """`layer.table` names that occur in a statement, or look as if they did."""
    return sorted({match[0] for match in _REFERENCE.finditer(without_comments(sql))})


def without_comments(sql: str) -> str:
    """A statement without its lines of comment and without comments in `/* */`."""
    return _COMMENT.sub("", sql)


def fingerprint(sql: str, inputs: Mapping[str, str]) -> str:
    """Equal for equal SQL over equal inputs: the result is equal too.

    `as_of` counts where it is used, since it then stands in the compiled SQL.
    """
    parts = [sql, *(f"{table}={inputs[table]}" for table in sorted(inputs))]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def parts_fingerprint(parts: Sequence[str], where: str | None) -> str:
    """Of a raw table, from the checksums of its parts in whatever order, and which rows of them count."""
    return hashlib.sha256("\n".join([*sorted(parts), where or ""]).encode()).hexdigest()


def bind(sql: str, params: Mapping[str, Any] | None, dialect: str) -> tuple[str, dict[str, Any]]:
    """Portable SQL compiled, and the parameters it uses in the form the drivers take.

    Raises:
        ValueError: a parameter of the SQL is not given.
    """
    tree = parse(sql)
    used = {node.name for node in tree.find_all(exp.Placeholder)}
    missing = used - set(params or {})
    if missing:
        raise ValueError(f"no value given for :{', :'.join(sorted(missing))}")
    values = {name: value for name, value in (params or {}).items() if name in used}
    for name, value in values.items():
        if isinstance(value, datetime) and value.tzinfo is not None:
            values[name] = value.astimezone(UTC).replace(tzinfo=None)
    return compile_sql(tree, dialect), values


def removable(
    builds: Sequence[tuple[str, datetime, datetime | None]], published: str | None, keep: int, now: datetime
) -> list[str]:
    """Which builds may go. `builds`: id, begun at, published at (aware), in any order."""
    done = sorted(((at, build_id) for build_id, _, at in builds if at), reverse=True)
    kept = {published, *(build_id for _, build_id in done[:keep])}
    for (superseded_at, _), (_, build_id) in itertools.pairwise(done):
        if superseded_at > now - READERS_FINISH_WITHIN:
            kept.add(build_id)
    for build_id, begun_at, published_at in builds:
        if published_at is None and begun_at > now - ABANDONED_AFTER:
            kept.add(build_id)
    return [build_id for build_id, _, _ in builds if build_id not in kept]
