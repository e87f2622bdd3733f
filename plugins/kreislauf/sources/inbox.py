"""Inbox folders: NDJSON files that others put there, complete, by an atomic rename.

A file is landed once and removed when its lines are committed. A file that a killed run landed
but did not remove is known from the manifests and only removed.
"""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator
from itertools import islice
from typing import Any

from kreislauf.landing.manifest import Manifest, Window
from kreislauf.landing.zone import LandingZone
from kreislauf.sources.base import Position
from kreislauf.sources.errors import BadAnswer
from kreislauf.sources.streams import Stream

REMEMBERED_RUNS = 48
"""Only the last runs can have left a landed file behind. Names are not used twice."""


class Inbox:
    """The inbox folder `<landing>/inbox/<name>`."""

    api_version = None
    goes_by_window = False

    def __init__(self, zone: LandingZone, name: str) -> None:
        self._zone = zone
        self._folder = zone.inbox(name)
        self._taken: list[Any] = []
        self._leftover: list[Any] = []

    def now(self) -> None:
        """No clock: what is there is read."""

    def read(self, stream: Stream, window: Window, last: Manifest | None) -> Iterator[bytes]:
        """The lines of all files not landed yet, byte for byte; empty lines are left out.

        Raises BadAnswer naming a file that cannot be unpacked.
        """
        self._taken, self._leftover = [], []
        landed = {
            name
            for manifest in islice(self._zone.latest(stream.source, stream.name), REMEMBERED_RUNS)
            for name in manifest.inbox_files
        }
        for path in self._files():
            if path.name in landed:
                self._leftover.append(path)
                continue
            try:
                yield from _lines(path)
            except FileNotFoundError:
                continue  # another run has landed it, and removed it, since we looked
            self._taken.append(path)

    def position(self) -> Position:
        return Position(inbox_files=[path.name for path in self._taken])

    def committed(self) -> None:
        """Remove what has been landed."""
        for path in self._taken + self._leftover:
            path.unlink(missing_ok=True)

    def _files(self) -> list[Any]:
        if not self._folder.exists():
            return []
        found = [path for path in self._folder.iterdir() if path.name.endswith((".ndjson", ".ndjson.gz"))]
        return sorted(found, key=lambda path: path.name)


def _lines(path: Any) -> Iterator[bytes]:
    with path.open("rb") as raw:
        file = gzip.GzipFile(fileobj=raw) if path.name.endswith(".gz") else raw
        try:
            for line in file:
                if stripped := line.rstrip(b"\r\n"):
                    yield stripped
        except (gzip.BadGzipFile, EOFError, zlib.error) as error:
            raise BadAnswer(
                f"{path} is not a complete gzip file; move it away or put it in again, then clear the task"
            ) from error
