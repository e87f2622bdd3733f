"""One window of one stream: read, land, type, commit."""

from __future__ import annotations

import errno
import gzip
import logging
import shutil
from collections.abc import Generator, Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from kreislauf.landing.files import digest, new_file
from kreislauf.landing.load import load
from kreislauf.landing.manifest import Manifest, Window
from kreislauf.landing.zone import LandingZone, Run
from kreislauf.sources.base import Source
from kreislauf.sources.streams import Stream

log = logging.getLogger(__name__)

PAGE_BYTES = 128 * 1024 * 1024
"""A file of pages is closed and the next begun at this size before compression."""

_DISK_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


class LandingZoneFull(Exception):
    """There is no room for what was being landed. Nothing of it was kept."""


def extract(
    source: Source, stream: Stream, zone: LandingZone, as_of: datetime, since: datetime | None = None
) -> Manifest | None:
    """Land what changed in [high-water mark - overlap, as_of), and return the manifest that commits it.

    The window ends earlier where the source's own clock stands earlier.

    The high-water mark is the `until` of the stream's newest manifest. If it has already reached
    `as_of`, there is nothing to land and None is returned. `since` reads again from an earlier
    moment; what was landed before stays, and staging takes the newest version of each record.
    Memory does not grow with the amount. Raises SourceError, LandingZoneFull; after any error the
    zone is as it was.
    """
    as_of = min(as_of, source.now() or as_of)
    last = next(zone.latest(stream.source, stream.name), None)
    window = _window(stream, last, as_of, since)
    if last and source.goes_by_window and last.window.until >= as_of and since is None:
        return None

    run = zone.begin(stream.source, stream.name, as_of)
    try:
        with _room_for(run):
            pages = write_pages(run.folder, source.read(stream, window, last))
            position = source.position()
            if last and not pages and not position.inbox_files and last.window.until >= as_of:
                run.discard()
                source.committed()
                return None
            loaded = load(stream, run.folder, pages, run.name, run.started)
            manifest = Manifest(
                run=run.name,
                source=stream.source,
                stream=stream.name,
                window=window,
                as_of=as_of,
                extracted_at=run.started,
                api_version=source.api_version,
                pages=pages,
                tables=loaded.tables,
                quarantined=loaded.quarantined,
                unknown_fields=loaded.unknown_fields,
                missing_fields=loaded.missing_fields,
                inbox_files=position.inbox_files,
                cursor=position.cursor,
                folder=run.folder,
            )
            run.commit(manifest)
    except BaseException:
        run.discard()
        raise
    source.committed()
    _report(manifest)
    return manifest


def write_pages(folder: Any, lines: Iterable[bytes]) -> list[dict[str, Any]]:
    """Write records into numbered NDJSON.gz files; return what the manifest says of them."""
    pages: list[dict[str, Any]] = []
    remaining = iter(lines)
    first = next(remaining, None)
    while first is not None:
        path = folder / f"part-{len(pages):05d}.ndjson.gz"
        with new_file(path) as file:
            rows, first = _fill(file, first, remaining)
        pages.append({"file": path.name, "rows": rows, "sha256": digest(path)})
    return pages


def _fill(file: Any, first: bytes, remaining: Iterator[bytes]) -> tuple[int, bytes | None]:
    """Write lines up to the size of a page; return their number and the line that did not fit."""
    rows = size = 0
    line: bytes | None = first
    # Level 3 is three times as fast as the default and a tenth larger; no time stamp: same input, same file.
    with gzip.GzipFile(filename="", mode="wb", compresslevel=3, fileobj=file, mtime=0) as packed:
        while line is not None and size < PAGE_BYTES:
            packed.write(line + b"\n")
            rows += 1
            size += len(line) + 1
            line = next(remaining, None)
    return rows, line


def _window(stream: Stream, last: Manifest | None, as_of: datetime, since: datetime | None) -> Window:
    """The window to read. A `since` later than the high-water mark would leave a gap, and is not taken."""
    as_of = as_of.astimezone(UTC)
    if last is None:
        return Window(None, as_of)
    begin = last.window.until - stream.overlap
    return Window(min(begin, since.astimezone(UTC)) if since else begin, as_of)


@contextmanager
def _room_for(run: Run) -> Generator[None]:
    """Turn a full disk into an error that says where and how much room is left."""
    try:
        yield
    except OSError as error:
        if error.errno not in _DISK_FULL:
            raise
        raise LandingZoneFull(
            f"no room to write {run.folder} ({error.strerror}; {_free(run.folder)}); "
            "nothing of this run was kept. Make room and run the task again"
        ) from error


def _free(folder: Any) -> str:
    if not isinstance(folder, Path):
        return "object store"
    return f"{shutil.disk_usage(folder).free / 1e6:.1f} MB free on its disk"


def _report(manifest: Manifest) -> None:
    """Tell the log what came, and loudly what was not as declared."""
    name = f"{manifest.source} {manifest.stream}"
    log.info("%s: %s records until %s", name, manifest.rows, manifest.window.until.isoformat())
    if manifest.quarantined:
        log.warning(
            "%s: %s records in quarantine, see %s", name, manifest.quarantined, manifest.quarantine_path
        )
    if manifest.unknown_fields:
        log.warning("%s: fields not declared, not loaded: %s", name, ", ".join(manifest.unknown_fields))
    if manifest.missing_fields:
        log.warning("%s: declared fields in no record: %s", name, ", ".join(manifest.missing_fields))
