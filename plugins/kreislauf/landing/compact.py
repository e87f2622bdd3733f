"""Compaction: the parts of many runs become one, and readers see what they saw before.

An hourly stream leaves 8,760 parts a table and year, and a build opens each. So the runs of a day that is
over, and later those of a month that is over, get common parts. Runs stay what they are: one manifest each,
with the same counts, checksums and lineage; only where their rows are changes, for all of them in one commit
(index.py). Pages and quarantine stay where they are. What is replaced stays for a while, for who reads it.

Safe at any moment: beside ingests, whose runs are in no index yet; beside builds, which read the files
that they listed; beside itself and a replay, of which the later to commit has done nothing; and killed,
which leaves files that nothing names, cleaned away later.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

from kreislauf.landing import parts
from kreislauf.landing.files import digest, folders, is_older, listed, remove_folder
from kreislauf.landing.index import Index, IndexMoved, began_at, read_index, read_indexes, work_folder
from kreislauf.landing.manifest import COMPACTED, Manifest
from kreislauf.landing.zone import ABANDONED_AFTER, LandingZone

log = logging.getLogger(__name__)

OLDER_THAN = timedelta(days=1)
"""Days stay as they are until they have been over for so long: most of what comes late has come by then."""

KEEP_REPLACED = timedelta(days=7)
"""Replaced files stay so long: the published build, and one that is being written, name those they read."""

MERGED_ROWS = 5_000_000
"""A merged part has at most so many rows, some hundred MB, unless a run alone brought more."""


class DamagedPart(Exception):
    """A part is not the file that was committed, so it is not merged with others."""


@dataclass(frozen=True)
class Compacted:
    """What a compaction did to a stream: parts that a build opens before and after, files removed."""

    before: int
    after: int
    removed: int


@dataclass(frozen=True)
class _Part:
    """A file of a raw table, the runs whose rows it has, in their order, and the number of rows."""

    path: Any
    runs: list[Manifest]
    rows: int


def compact_all(
    zone: LandingZone,
    now: datetime,
    older_than: timedelta = OLDER_THAN,
    keep_replaced: timedelta = KEEP_REPLACED,
) -> dict[str, dict[str, int]]:
    """Compact every stream; the counts of those that changed, by name.

    Raises ExceptionGroup, naming the streams that failed, once all others are done.
    """
    changed, failures = {}, {}
    for source, stream in zone.streams():
        name = f"{source} {stream}"
        try:
            done = compact(zone, source, stream, now, older_than, keep_replaced)
        except Exception as error:
            failures[name] = error
            log.error("%s: %s", name, error)
            continue
        log.info("%s: %s parts became %s; %s files removed", name, done.before, done.after, done.removed)
        if done.removed or done.before != done.after:
            changed[name] = asdict(done)
    if failures:
        raise ExceptionGroup(f"not compacted: {', '.join(failures)}", list(failures.values()))
    return changed


def compact(
    zone: LandingZone,
    source: str,
    stream: str,
    now: datetime,
    older_than: timedelta = OLDER_THAN,
    keep_replaced: timedelta = KEEP_REPLACED,
) -> Compacted:
    """Merge the parts of a stream's finished days and months, then remove what was replaced long ago.

    Done twice, the second time does nothing. Raises DamagedPart if a part does not have the checksum, or
    the rows, it was committed with; the stream stays as it was then.
    """
    folder = zone.folder(source, stream)
    index = read_index(folder)
    manifests = zone.manifests_with(index)
    work = work_folder(folder)
    try:
        moved = _merge(manifests, _midnight(now - older_than), work)
        if any(index.manifests.get(run) != manifest for run, manifest in moved.items()):
            index = index.commit((index.manifests | moved).values(), now)
    except IndexMoved:
        log.info("%s %s: compacted or replayed by another process meanwhile", source, stream)
        moved = {}
        remove_folder(work)
    except BaseException:
        remove_folder(work)
        raise
    after = [moved.get(manifest.run, manifest) for manifest in manifests]
    return Compacted(_count(manifests), _count(after), clean(zone, source, stream, now, keep_replaced))


def clean(
    zone: LandingZone, source: str, stream: str, now: datetime, keep_replaced: timedelta = KEEP_REPLACED
) -> int:
    """Remove what has been replaced for so long, and what killed compactions left; return the files removed.

    An index is in use until `keep_replaced` after the next one, and with it what it names. A run's own
    part stays until no index in use leaves the run to it. A replay may be writing own parts anew that its
    commit is going to need: those are young.
    """
    folder = zone.folder(source, stream)
    indexes = read_indexes(folder)
    in_use = [one for one, following in pairwise(indexes) if following.committed_at > now - keep_replaced]
    in_use.append(indexes[-1])
    gone = [index for index in indexes[1:] if index not in in_use]
    for index in gone:
        remove_folder(folder / COMPACTED / f"{index.number:08}")

    named = {
        entry[COMPACTED]
        for index in in_use
        for manifest in index.manifests.values()
        for entry in manifest.tables.values()
        if COMPACTED in entry
    }
    removed = len(gone)
    for work in listed(folder / COMPACTED):
        began = began_at(work)
        if began is not None and began < now - ABANDONED_AFTER:
            for path in listed(work):
                if _name(path) not in named:
                    path.unlink(missing_ok=True)
                    removed += 1
            if not listed(work):
                remove_folder(work)
    there = {path for day in folders(folder, "dt=") for run in folders(day, "run=") for path in listed(run)}
    for run, manifest in indexes[-1].manifests.items():
        for table, entry in manifest.tables.items():
            own = manifest.folder / entry["file"]
            is_replaced = own in there and all(_is_compacted(index, run, table) for index in in_use)
            if is_replaced and is_older(own, now - keep_replaced):
                own.unlink(missing_ok=True)
                removed += 1
    return removed


def _merge(manifests: list[Manifest], settled: datetime, work: Any) -> dict[str, Manifest]:
    """The manifests, by run, of what is older than `settled`, with their rows in merged parts, new ones in
    the folder `work`.
    """
    periods = {m.run: period for m in manifests if (period := _period(m.as_of, settled))}
    moved = {m.run: m for m in manifests if m.run in periods}
    for table in sorted({name for m in moved.values() for name in m.tables}):
        for number, chosen in enumerate(_bundles(_parts(manifests, table), periods)):
            work.mkdir(parents=True, exist_ok=True)
            target = work / f"{table}-{number:05}.parquet"
            _write(chosen, table, target)
            for run in (m.run for part in chosen for m in part.runs):
                entry = moved[run].tables[table] | {COMPACTED: _name(target)}
                moved[run] = replace(moved[run], tables=moved[run].tables | {table: entry})
    return moved


def _period(as_of: datetime, settled: datetime) -> str | None:
    """The month or else the day that a run is compacted with; None if neither is over."""
    if f"{as_of:%Y-%m}" < f"{settled:%Y-%m}":
        return f"{as_of:%Y-%m}"
    return f"{as_of:%Y-%m-%d}" if as_of < settled else None


def _parts(manifests: Iterable[Manifest], table: str) -> list[_Part]:
    """The files of a raw table, in the order of their first runs."""
    by_path: dict[Any, list[Manifest]] = {}
    for manifest in manifests:
        if table in manifest.tables:
            by_path.setdefault(manifest.part(table), []).append(manifest)
    return [_Part(path, runs, sum(m.tables[table]["rows"] for m in runs)) for path, runs in by_path.items()]


def _bundles(found: list[_Part], periods: dict[str, str]) -> list[list[_Part]]:
    """Which parts become one: neighbours of one period and one schema, together not too large."""
    by_period: dict[str, list[_Part]] = {}
    for part in found:
        of_runs = {periods.get(manifest.run) for manifest in part.runs}
        if len(of_runs) == 1 and (period := of_runs.pop()):
            by_period.setdefault(period, []).append(part)
    bundles = []
    for _, neighbours in sorted(by_period.items()):
        for bundle in _by_size(neighbours):
            bundles += _by_schema(bundle) if len(bundle) > 1 else []
    return [bundle for bundle in bundles if len(bundle) > 1]


def _by_size(neighbours: list[_Part]) -> list[list[_Part]]:
    bundles: list[list[_Part]] = []
    rows = 0
    for part in neighbours:
        if bundles and rows + part.rows <= MERGED_ROWS:
            bundles[-1].append(part)
            rows += part.rows
        else:
            bundles.append([part])
            rows = part.rows
    return bundles


def _by_schema(bundle: list[_Part]) -> list[list[_Part]]:
    """Parts from before and after a change of the declarations stay apart: none gets a column or a type
    that it did not have.
    """
    bundles: list[list[_Part]] = []
    last = None
    for part in bundle:
        schema = parts.schema(part.path)
        if last is not None and schema.equals(last):
            bundles[-1].append(part)
        else:
            bundles.append([part])
        last = schema
    return bundles


def _write(chosen: list[_Part], table: str, target: Any) -> None:
    for part in chosen:
        entry = part.runs[0].tables[table]
        if COMPACTED not in entry and digest(part.path) != entry["sha256"]:
            raise DamagedPart(f"{part.path} is not the part that was committed; replay its stream")
    expected = sum(part.rows for part in chosen)
    rows = parts.merge([part.path for part in chosen], target)
    if rows != expected:
        listed = ", ".join(str(part.path) for part in chosen)
        raise DamagedPart(f"{rows} rows are in parts of {expected}: {listed}; replay their stream")


def _count(manifests: Iterable[Manifest]) -> int:
    return len({manifest.table_path(name) for manifest in manifests for name in manifest.tables})


def _name(part: Any) -> str:
    """A merged part as manifests name it."""
    return f"{part.parent.name}/{part.name}"


def _is_compacted(index: Index, run: str, table: str) -> bool:
    manifest = index.manifests.get(run)
    return manifest is not None and COMPACTED in manifest.tables.get(table, {})


def _midnight(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
