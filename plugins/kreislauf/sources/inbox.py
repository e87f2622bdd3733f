"""Inbox folders: NDJSON files that others put there, complete, by an atomic rename.

A file is landed once and removed when its lines are committed. A file that a killed run landed
but did not remove is known from the manifests and only removed.
"""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from itertools import islice
from typing import Any, BinaryIO

from kreislauf.landing.manifest import Manifest, Window
from kreislauf.landing.zone import LandingZone
from kreislauf.sources.base import Position
from kreislauf.sources.errors import BadAnswer
from kreislauf.sources.streams import Stream

REMEMBERED_RUNS = 48
"""Only the last runs can have left a landed file behind."""


class Inbox:
    """The inbox folder `<landing>/inbox/<name>`, filled by programs: a name is not used twice."""

    api_version = None
    goes_by_window = False
    suffixes: tuple[str, ...] = (".ndjson", ".ndjson.gz")

    def __init__(self, zone: LandingZone, name: str) -> None:
        self._zone = zone
        self._folder = zone.inbox(name)
        self._taken: dict[str, Any] = {}
        self._leftover: dict[str, Any] = {}

    def now(self) -> None:
        """No clock: what is there is read."""

    def read(self, stream: Stream, window: Window, last: Manifest | None) -> Iterator[bytes]:
        """The records of all files not landed yet, as lines of JSON.

        Raises BadAnswer naming a file that cannot be read.
        """
        self._taken, self._leftover = {}, {}
        landed: dict[str, str] = {}  # by name the mark of the file that was landed last
        for manifest in islice(self._zone.latest(stream.source, stream.name), REMEMBERED_RUNS):
            for mark in manifest.inbox_files:
                landed.setdefault(self.name_of(mark), mark)
        for path in self._files():
            try:
                mark = self.mark(path)
                if landed.get(path.name) == mark:
                    self._leftover[mark] = path
                    continue
                yield from self.lines(path, stream)
            except FileNotFoundError:
                continue  # another run has landed it, and removed it, since we looked
            self._taken[mark] = path

    def position(self) -> Position:
        return Position(inbox_files=list(self._taken))

    def committed(self) -> None:
        """Remove what has been landed."""
        for path in [*self._taken.values(), *self._leftover.values()]:
            path.unlink(missing_ok=True)

    def mark(self, path: Any) -> str:
        """By what a landed file is known again."""
        return path.name

    def name_of(self, mark: str) -> str:
        """The name of the file that has this mark."""
        return mark

    def lines(self, path: Any, stream: Stream) -> Iterator[bytes]:
        """The records of a file, a line each: here the file's own lines, without the empty ones."""
        with opened(path) as file:
            for line in file:
                if stripped := line.rstrip(b"\r\n"):
                    yield stripped

    def _files(self) -> list[Any]:
        if not self._folder.exists():
            return []
        found = [path for path in self._folder.iterdir() if path.name.endswith(self.suffixes)]
        return sorted(found, key=lambda path: path.name)


@contextmanager
def opened(path: Any) -> Generator[BinaryIO]:
    """A file's bytes, unpacked if its name ends in `.gz`. Raises BadAnswer if they cannot be."""
    with path.open("rb") as raw:
        try:
            yield gzip.GzipFile(fileobj=raw) if path.name.endswith(".gz") else raw
        except (gzip.BadGzipFile, EOFError, zlib.error) as error:
            raise BadAnswer(
                f"{path} is not a complete gzip file; move it away or put it in again, then clear the task"
            ) from error
