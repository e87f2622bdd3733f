"""A manifest: the one commit of an extraction. What no manifest names never happened."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

MANIFEST_NAME = "manifest.json"


@dataclass(frozen=True)
class Window:
    """The records changed in [since, until); `since` None: from the beginning."""

    since: datetime | None
    until: datetime


@dataclass(frozen=True)
class Manifest:
    """What one extraction of a stream brought.

    `pages`: the files as received (`file`, `rows`, `sha256`). `tables`: for each raw table its typed
    part (the same keys, and `latest`: the latest of its rows' clocks, where known); a table without rows
    is not listed. `quarantined`: records held back whole.
    `unknown_fields`: sent but not declared. `missing_fields`: declared but in no record. `cursor`:
    how far the source's own clock was read, for sources that do not go by `as_of`.
    """

    run: str
    source: str
    stream: str
    window: Window
    as_of: datetime
    extracted_at: datetime
    api_version: str | None
    pages: list[dict[str, Any]]
    tables: dict[str, dict[str, Any]]
    quarantined: int
    unknown_fields: list[str]
    missing_fields: list[str]
    inbox_files: list[str] = field(default_factory=list)
    cursor: str | None = None
    folder: Any = field(default=None, compare=False)
    """The run's folder, a path object."""

    @property
    def rows(self) -> int:
        """Records received."""
        return sum(page["rows"] for page in self.pages)

    def table_path(self, name: str) -> str:
        """The typed part of a raw table: a local path, or a URL. Raises KeyError if it has no rows."""
        return _location(self.folder / self.tables[name]["file"])

    @property
    def quarantine_path(self) -> str | None:
        """The Parquet file of the records held back (table_name, line, reason, record), if there are any."""
        return _location(self.folder / "quarantine.parquet") if self.quarantined else None

    def to_json(self) -> str:
        return json.dumps(
            {
                "run": self.run,
                "source": self.source,
                "stream": self.stream,
                "window": {"since": iso(self.window.since), "until": iso(self.window.until)},
                "as_of": iso(self.as_of),
                "extracted_at": iso(self.extracted_at),
                "api_version": self.api_version,
                "pages": self.pages,
                "tables": self.tables,
                "quarantined": self.quarantined,
                "unknown_fields": self.unknown_fields,
                "missing_fields": self.missing_fields,
                "inbox_files": self.inbox_files,
                "cursor": self.cursor,
            },
            indent=1,
        )

    @classmethod
    def from_json(cls, text: str, folder: Any) -> Manifest:
        """Raises ValueError, naming the folder, if the text is not a manifest."""
        try:
            found = json.loads(text)
            window = found.pop("window")
            return cls(
                window=Window(parse(window["since"]), parse(window["until"])),
                as_of=parse(found.pop("as_of")),
                extracted_at=parse(found.pop("extracted_at")),
                folder=folder,
                **found,
            )
        except (ValueError, KeyError, TypeError) as error:
            raise ValueError(f"{_location(folder / MANIFEST_NAME)} is not a manifest: {error!r}") from error


def iso(moment: datetime | None) -> str | None:
    """ISO 8601 in UTC with a Z at its end; without a fraction if there is none."""
    return None if moment is None else moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def parse(text: str | None) -> Any:
    """The aware datetime of an ISO string; None for None."""
    return None if text is None else datetime.fromisoformat(text).astimezone(UTC)


def _location(path: Any) -> str:
    """What DuckDB and people can open: a plain path for local files, else the URL."""
    return str(path)
