"""What changed in a table since the published build, and computing no more than that.

A table of a build is kept as the parts of the published one and a further part: the rows that are new,
and which of the earlier ones are gone. That part is at the same time the table's *changes*, from which
those that read it find out what they have to compute again. Where that cannot be told from their SQL
(`kreislauf.warehouse.locality`) they are computed whole, and compared: so what reads them can.
"""

# ruff: file-ignore[hardcoded-sql-expression]: names of tables and columns are ours

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kreislauf.warehouse.engines.folder import sync
from kreislauf.warehouse.engines.relations import (
    DATA,
    POSITION,
    REMOVED,
    literal,
    raw_relation,
    read_parquet,
    rows_of,
)
from kreislauf.warehouse.linear import changed_name, linear
from kreislauf.warehouse.locality import Keys, Local, localities
from kreislauf.warehouse.raw import Columns
from kreislauf.warehouse.scopes import NotLocal, Scopes

if TYPE_CHECKING:
    import duckdb

AFFECTED = 0.25
"""When the keys that changed have more of an input's rows than this, the table is computed whole."""

CHANGED = 0.20
"""When more of a table's rows differ than this, its changes are not kept."""

MOST_INPUTS = 16
"""A statement of which more inputs changed is computed whole unless it is linear: asking each of them for
the keys takes more memory than it spares work."""

_CANDIDATES = 4

_SAMPLE = 5_000
"""Rows of an input by which it is judged how many of them a change touches."""

_FEW_ROWS = 100_000
"""So many rows may be read and computed again however small the table is."""


_GONE = "select * from differing where __times < 0"


@dataclass(frozen=True)
class Change:
    """Of a table since the published build: relations of the rows that are gone, and that are new.

    `rows`: how many it has now.
    """

    removed: str
    added: str
    rows: int


class Update:
    """One table of a build beside the published one, on a connection that has views of its inputs.

    `before`: a SELECT of the published rows with their POSITION, and how many there are.
    """

    def __init__(self, connection: duckdb.DuckDBPyConnection, before: str, rows: int) -> None:
        self._connection = connection
        self._rows = rows
        self._described: dict[str, list[tuple[str, str]]] = {}
        connection.execute(f"create temp view before as {before}")
        self.columns = self._describe("before")[:-1]  # the last is POSITION
        names = [f'"{name}"' for name, _ in self.columns]
        self._names = ", ".join(names)
        # Two hashes of 64 bits: equal rows are equal, others do not meet by chance.
        self._marks = f"hash({self._names}) as mark_1, hash({', '.join(reversed(names))}) as mark_2"
        self._new = self._old = ""
        self._all_copies = False  # whether each row that differs is new or gone, and none stays
        self.added = self.removed = 0
        """How many rows are new, and how many are gone, once that is computed."""

    def compute(self, select: str, changes: Mapping[str, Change]) -> str | None:
        """Find what differs, from the changes of the inputs: of a linear statement from these alone, else
        by the keys that changed.

        `changes`, or the column of the keys; None if the table has to be computed whole.
        """
        try:
            scopes = Scopes.of(select, self._columns_of)
        except NotLocal:
            return None
        if (statement := linear(scopes, set(changes))) is not None:
            return "changes" if self._from_changes(statement, changes) else None
        return self._in_part(scopes, changes)

    def compare(self, file: Path, rows: int) -> bool:
        """Find what differs in the table computed whole, of so many rows.

        False if it is too much to tell the one by the other.
        """
        new = read_parquet([file])
        if abs(rows - self._rows) > CHANGED * self._rows or self._describe(new) != self.columns:
            return False
        self._find_differing(f"select *, {self._marks} from {new}", f"select *, {self._marks} from before")
        return self.added + self.removed <= 2 * CHANGED * self._rows

    def write(self, part: Path) -> None:
        """Write what differs into a new part; no file of rows that are gone when there are none."""
        part.mkdir()
        new = self._differing(self._new, "__times")
        self._copy(f"select {self._names} from {new}", part / DATA)
        if self.removed:
            gone = self._differing(self._old, "-__times")
            self._copy(f"select {self._names}, {POSITION} from {gone}", part / REMOVED)

    def rows_now(self, part: Path) -> str:
        """A SELECT of the table's rows, once its changes are written."""
        left, removed = f"select {self._names} from before", part / REMOVED
        if removed.exists():
            left += f" where {POSITION} not in (select {POSITION} from {read_parquet([removed])})"
        return f"{left} union all select * from {read_parquet([part / DATA])}"

    def _from_changes(self, statement: str, changes: Mapping[str, Change]) -> bool:
        """Compute what a linear statement makes of the changes; False if what is gone was not there."""
        run = self._connection.execute
        columns = ", ".join(f'"{name}" {type}' for name, type in self.columns)
        for rows, which in (("linear_new", "added"), ("linear_gone", "removed")):
            for table, change in changes.items():
                run(f"create or replace temp view {changed_name(table)} as {getattr(change, which)}")
            run(f"create temp table {rows} ({columns})")
            run(f"insert into {rows} {statement}")
        marked = f"select *, {self._marks} from"
        self._find_differing(f"{marked} linear_new", f"{marked} linear_gone")
        if not self.removed:
            return True
        gone = f"from ({marked} linear_gone) semi join ({_GONE}) using (mark_1, mark_2)"
        counts = ", ".join(f"approx_count_distinct({name})" for name in self._names.split(", "))
        [distinct] = run(f"select {counts} {gone}").fetchall()
        # By the column that tells them apart best, so that few rows have to be looked at.
        by = self.columns[distinct.index(max(distinct))][0]
        looked_at = f'"{by}" in (select "{by}" {gone}) or "{by}" is null' if max(distinct) else "true"
        run(f"create or replace temp table old_rows as {marked} before where {looked_at}")
        self._old = "select * from old_rows"
        self._all_copies = False  # of the rows looked at, others may stay
        found = self._differing(self._old, "-__times")
        [(there,)] = run(f"select count(*) from {found}").fetchall()
        return there == self.removed

    def _in_part(self, scopes: Scopes, changes: Mapping[str, Change]) -> str | None:
        """Compute the rows of the keys that changed; the key's column, or None if that is no use."""
        if len(changes) > MOST_INPUTS:
            return None
        for local in itertools.islice(localities(scopes, set(changes)), _CANDIDATES):
            if local.column in dict(self.columns) and self._find_keys(local, changes):
                self._connection.execute(f"create or replace temp table new_rows as {local.statement}")
                if self._describe("new_rows") == self.columns:
                    new = f"select *, {self._marks} from new_rows"
                    self._find_differing(new, "select * from old_rows")
                    return local.column
        return None

    def _find_keys(self, local: Local, changes: Mapping[str, Change]) -> bool:
        """Make the tables of keys, and of the published rows they have; False if there are too many."""
        run = self._connection.execute
        for keys in local.keys.all():
            run(f"create or replace temp table {keys.name} as {_keys_sql(keys, changes)}")
        name = local.keys.name
        [(nulls,)] = run(f"select count(*) from {name} where key is null").fetchall()
        if nulls:
            return False
        keyed = {read: changes[read[0]].rows for read in local.keyed() if changes[read[0]].rows > _FEW_ROWS}
        touched = sum(rows * self._share_touched(*read, name) for read, rows in keyed.items())
        if touched > AFFECTED * sum(keyed.values()):
            return False
        most = int(max(AFFECTED * self._rows, _FEW_ROWS))
        run(
            f"create or replace temp table old_rows as select *, {self._marks} from before"
            f' where "{local.column}" in (select key from {name}) limit {most + 1}'
        )
        [(affected,)] = run("select count(*) from old_rows").fetchall()
        return affected <= most

    def _share_touched(self, table: str, key: str, keys: str) -> float:
        """What share of the first rows of an input are of the keys."""
        sample = f"select {key} as key from {table} limit {_SAMPLE}"
        touched = f"count(*) filter (where key in (select key from {keys}))"
        [(share,)] = self._connection.execute(
            f"select coalesce({touched} / nullif(count(*), 0), 0) from ({sample})"
        ).fetchall()
        return share

    def _find_differing(self, new: str, old: str) -> None:
        """The marks of rows that are there more or less often than before, and by how many `__times`.

        Both are SELECTs of rows with their marks.
        """
        self._new, self._old = new, old
        self._connection.execute(
            "create or replace temp table differing as select mark_1, mark_2, sum(__times) as __times,"
            " count(*) as __copies from ("
            f" select mark_1, mark_2, 1 as __times from ({new})"
            f" union all select mark_1, mark_2, -1 from ({old})"
            ") group by mark_1, mark_2 having sum(__times) <> 0"
        )
        [(self.added, self.removed, self._all_copies)] = self._connection.execute(
            "select coalesce(sum(greatest(__times, 0)), 0), coalesce(sum(greatest(-__times, 0)), 0),"
            " coalesce(bool_and(__copies = abs(__times)), true) from differing"
        ).fetchall()

    def _differing(self, rows: str, times: str) -> str:
        """Of rows with marks those that differ: of equal ones as many as there are too many of."""
        if self._all_copies:
            return f"({rows}) semi join (from differing where {times} > 0) using (mark_1, mark_2)"
        return (
            f"(select rows.*, {times} as __wanted, row_number() over (partition by mark_1, mark_2) as __copy"
            f" from ({rows}) as rows inner join differing using (mark_1, mark_2) where {times} > 0)"
            " where __copy <= __wanted"
        )

    def _copy(self, select: str, file: Path) -> None:
        self._connection.execute(f"copy ({select}) to {literal(file)} (format parquet, compression zstd)")
        sync(file)

    def _columns_of(self, table: str) -> list[str]:
        if table not in self._described:
            self._described[table] = self._describe(table)
        return [name for name, _ in self._described[table]]

    def _describe(self, relation: str) -> list[tuple[str, str]]:
        found = self._connection.execute(f"describe from {relation}").fetchall()
        return [(column[0], column[1]) for column in found]


def _keys_sql(keys: Keys, changes: Mapping[str, Change]) -> str:
    parts = {"select null as key where false"}
    for table, key, nulls in keys.changes:
        where = "" if nulls else f" where {key} is not null"
        for rows in (changes[table].removed, changes[table].added):
            parts.add(f"select {key} as key from ({rows}) as changed{where}")
    for table, key, nulls, by, found in keys.lookups:
        where = "" if nulls else f" and {key} is not null"
        parts.add(f"select {key} as key from {table} where {by} in (select key from {found.name}){where}")
    return f"select distinct key from ({' union all '.join(sorted(parts))})"


def part_change(part: Path, rows: int) -> Change:
    """What a part says that changed in a table, which has so many rows now."""
    added, removed = part / DATA, part / REMOVED
    new = f"select * from {read_parquet([added])}"
    gone = f"select * exclude ({POSITION}) from {read_parquet([removed])}"
    return Change(gone if removed.exists() else f"{new} where false", new, rows)


def whole_change(before: list[Path], now: list[Path], rows: int) -> Change:
    """All rows were replaced: of a table whose changes are not kept. `rows`: how many it has now."""
    return Change(rows_of(before), rows_of(now), rows)


def raw_change(columns: Columns, now: Mapping[str, Any], was: Mapping[str, Any]) -> Change | None:
    """What landed since, and what of the rest counts now and did not before, or the other way round.

    Both as noted of a raw table: `files`, the checksum and the file of each of its `runs`, and `where` the
    rows count. A file may be of several runs, old and new, and what was read before may have been merged
    since. None when a run is not there any more, or has other rows: the landing zone was replayed.
    """
    if "runs" not in now:  # raw.manifests, which each build has a file of its own of
        rows, rows_before = (raw_relation(columns, noted["files"]) for noted in (now, was))
        return Change(f"{rows_before} except all {rows}", f"{rows} except all {rows_before}", now["rows"])
    before, after = (
        {run: digest for run, (digest, _) in noted.get("runs", {}).items()} for noted in (was, now)
    )
    if not before.items() <= after.items() or len(before) < len(was["files"]):
        return None
    new = after.keys() - before.keys()
    files = dict.fromkeys(file for run, (_, file) in now["runs"].items() if run in new)
    old = [run for run, (_, file) in now["runs"].items() if file in files and run not in new]
    landed = [f"({now['where']})"] if now["where"] else []
    landed += [f"_run not in ({', '.join(map(literal, old))})"] if old else []
    added, removed = [raw_relation(columns, files, " and ".join(landed) or None)], [raw_relation(columns, [])]
    if now["where"] != was["where"]:
        there = f"_run not in ({', '.join(map(literal, sorted(new)))})" if new else None
        rows = f"select * from ({raw_relation(columns, now['files'], there)})"
        counts, counted = (f"(({noted['where'] or 'true'}) is true)" for noted in (now, was))
        added.append(f"{rows} where {counts} and not {counted}")
        removed.append(f"{rows} where {counted} and not {counts}")
    return Change(" union all ".join(removed), " union all ".join(added), now["rows"])
