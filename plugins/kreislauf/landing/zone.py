"""The landing zone: folders of what the sources sent, each committed by its manifest.

    <root>/<source>/<stream>/dt=2026-11-22/run=<run>/part-00000.ndjson.gz   records as received
                                                     <table>.parquet       their typed form
                                                     quarantine.parquet    records held back
                                                     manifest.json         written last: the commit
                            compacted/…                               merged parts (index.py, compact.py)
    <root>/inbox/<folder>/*.ndjson[.gz]                                    filled from outside

A run's folder belongs to one process alone, so runs of the same stream at the same moment do not
meet. Files are written beside their place and renamed when closed; on an object store, where a
file appears only when it is closed, they are written in place.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from kreislauf.landing.files import folders, new_file, remove_folder
from kreislauf.landing.index import Index, read_index
from kreislauf.landing.manifest import MANIFEST_NAME, Manifest

ABANDONED_AFTER = timedelta(days=1)
"""A run without a manifest that began longer ago than this was killed, and is cleaned away."""

INBOX = "inbox"

_MOMENT = "%Y%m%dT%H%M%SZ"
_STARTED = "%Y%m%dT%H%M%S%fZ"


class LandingZone:
    """A landing zone at a path: `pathlib.Path`, `UPath` or Airflow's `ObjectStoragePath`."""

    def __init__(self, root: Any) -> None:
        is_local = getattr(root, "protocol", "") in {"", "file", "local"}
        self.root = Path(root.path if hasattr(root, "path") else root) if is_local else root

    def streams(self, source: str | None = None, stream: str | None = None) -> list[tuple[str, str]]:
        """Source and name of each stream that anything was landed of, sorted."""
        found = {
            (folder.parent.name, folder.name)
            for folder in self.root.glob(f"{source or '*'}/{stream or '*'}")
            if folder.parent.name != INBOX
        }
        return sorted(found)

    def folder(self, source: str, stream: str) -> Any:
        """The folder of a stream."""
        return self.root / source / stream

    def manifests(self, source: str | None = None, stream: str | None = None) -> list[Manifest]:
        """All committed extractions, of one source or stream if named, sorted by run."""
        found = [
            manifest
            for names in self.streams(source, stream)
            for manifest in self.manifests_with(read_index(self.folder(*names)))
        ]
        return sorted(found, key=lambda manifest: (manifest.run, manifest.source, manifest.stream))

    def manifests_with(self, index: Index) -> list[Manifest]:
        """The committed extractions of a stream, sorted by run: those that an index has, and all others."""
        known = {manifest.folder.name for manifest in index.manifests.values()}
        others = [_read(path) for path in self._files(index, MANIFEST_NAME) if path.parent.name not in known]
        return sorted([*index.manifests.values(), *others], key=lambda manifest: manifest.run)

    def latest(self, source: str, stream: str) -> Iterator[Manifest]:
        """The committed extractions of a stream, newest first, read one by one; where the rows of one are
        now, only `manifests` knows.
        """
        for day in folders(self.folder(source, stream), "dt="):
            for run in folders(day, "run="):
                path = run / MANIFEST_NAME
                if path.exists():
                    yield _read(path)

    def unmarked(self, source: str, stream: str, mark: str) -> list[Manifest]:
        """The committed extractions of a stream without a file `mark` in their folder, sorted by run."""
        index = read_index(self.folder(source, stream))
        runs = {manifest.folder.name: manifest for manifest in index.manifests.values()}
        names = (MANIFEST_NAME, mark)
        found = {name: {path.parent for path in self._files(index, name)} for name in names}
        unmarked = sorted(found[MANIFEST_NAME] - found[mark], key=lambda folder: folder.name)
        return [runs.get(folder.name) or _read(folder / MANIFEST_NAME) for folder in unmarked]

    def begin(self, source: str, stream: str, as_of: datetime) -> Run:
        """A new run of a stream, in a folder of its own. Cleans away abandoned ones."""
        self._clean(source, stream)
        started = datetime.now(UTC)
        # Sorts by as_of, then by start; the tail keeps two starts in one microsecond apart.
        name = f"{as_of.astimezone(UTC):{_MOMENT}}-{started:{_STARTED}}-{secrets.token_hex(2)}"
        folder = self.folder(source, stream) / f"dt={as_of.astimezone(UTC):%Y-%m-%d}" / f"run={name}"
        folder.mkdir(parents=True)
        return Run(name, folder, started)

    def inbox(self, name: str) -> Any:
        """The inbox folder of that name; it need not exist yet."""
        return self.root / INBOX / name

    def _files(self, index: Index, name: str) -> Iterator[Any]:
        return index.folder.glob(f"dt=*/run=*/{name}")

    def _clean(self, source: str, stream: str) -> None:
        """Remove what killed runs left behind. Only the last days are looked at: runs clean up daily."""
        oldest = datetime.now(UTC) - ABANDONED_AFTER
        for day in folders(self.folder(source, stream), "dt=")[:7]:
            for run in folders(day, "run="):
                started = _started(run.name)
                if started and started < oldest and not (run / MANIFEST_NAME).exists():
                    remove_folder(run)


class Run:
    """An extraction under way: its name, its folder, and the moment it began."""

    def __init__(self, name: str, folder: Any, started: datetime) -> None:
        self.name = name
        self.folder = folder
        self.started = started

    def commit(self, manifest: Manifest) -> None:
        """Write the manifest: from now on the run has happened."""
        write_manifest(manifest)

    def discard(self) -> None:
        """Remove everything the run wrote; it never happened."""
        remove_folder(self.folder)


def write_manifest(manifest: Manifest) -> None:
    """Put a manifest in its place, at once and for good."""
    with new_file(manifest.folder / MANIFEST_NAME) as file:
        file.write(manifest.to_json().encode())


def _read(path: Any) -> Manifest:
    return Manifest.from_json(path.read_text(), path.parent)


def _started(folder_name: str) -> datetime | None:
    """When the run of a folder began, from its name."""
    try:
        return datetime.strptime(folder_name.split("-")[1], _STARTED).replace(tzinfo=UTC)
    except (IndexError, ValueError):
        return None
