"""What every source is to the landing zone."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from kreislauf.landing.manifest import Manifest, Window
from kreislauf.sources.streams import Stream


@dataclass
class Position:
    """Where a source stands after it was read; kept in the manifest."""

    inbox_files: list[str] = field(default_factory=list)
    cursor: str | None = None


class Source(Protocol):
    """What can be read from. `read` yields each record as a line of JSON, without its line end.

    `goes_by_window`: what changed in a window is there once the window is over, so one that was
    read needs no second look. Else `read` gives what has not been landed yet. `now` is the source's
    own clock, None if it has none: a window never ends after it, so a clock of ours that is ahead
    loses nothing. `position` and `committed` are called after the last line, before and after the commit.
    """

    api_version: str | None
    goes_by_window: bool

    def now(self) -> datetime | None: ...

    def read(self, stream: Stream, window: Window, last: Manifest | None) -> Iterator[bytes]: ...

    def position(self) -> Position: ...

    def committed(self) -> None: ...


def line(record: dict[str, Any]) -> bytes:
    """A record as a line of JSON."""
    return json.dumps(record, ensure_ascii=False, separators=(",", ":")).encode()
