"""A manifest: the one commit of an extraction. What no manifest names never happened."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

MANIFEST_NAME = "manifest.json"
RECORDED = "recorded"
"""An empty file in a run's folder: the ledger has its events. Losing it costs time, nothing else."""
COMPACTED = "compacted"
"""The folder of a stream that holds its merged parts, beside the folders of its days."""


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
    is not listed. Once the stream was compacted, `compacted` names the merged part that holds the rows of
    this run among those of others; all else stays as it was. `quarantined`: records held back whole.
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

    def part(self, name: str) -> Any:
        """The file with the rows of a raw table: the run's own, or one it shares with other runs, whose
        rows tell by `_run`. Raises KeyError if the table has no rows.
        """
        entry = self.tables[name]
        if COMPACTED in entry:
            return self.folder.parent.parent / COMPACTED / entry[COMPACTED]
        return self.folder / entry["file"]

    def table_path(self, name: str) -> str:
        """The place of `part`: a local path, or a URL. Raises KeyError if the table has no rows."""
        return _location(self.part(name))

    @property
    def quarantine_path(self) -> str | None:
        """The Parquet file of the records held back (table_name, line, reason, record), if there are any."""
        return _location(self.folder / "quarantine.parquet") if self.quarantined else None

    def to_json(self) -> str:
        return json.dumps(self.to_document(), indent=1)

    def to_document(self) -> dict[str, Any]:
        """Everything but the folder, as JSON has it."""
        return {
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
        }

    @classmethod
    def from_json(cls, text: str, folder: Any) -> Manifest:
        """Raises ValueError, naming the folder, if the text is not a manifest."""
        try:
            return cls.from_document(json.loads(text), folder)
        except (ValueError, KeyError, TypeError) as error:
            raise ValueError(f"{_location(folder / MANIFEST_NAME)} is not a manifest: {error!r}") from error

    @classmethod
    def from_document(cls, document: dict[str, Any], folder: Any) -> Manifest:
        """What `to_document` gave, as a manifest. Raises KeyError, TypeError or ValueError for others."""
        window = document["window"]
        moments = {
            "window": Window(parse(window["since"]), parse(window["until"])),
            "as_of": parse(document["as_of"]),
            "extracted_at": parse(document["extracted_at"]),
        }
        return cls(**document | moments, folder=folder)


def iso(moment: datetime | None) -> str | None:
    """ISO 8601 in UTC with a Z at its end; without a fraction if there is none."""
    return None if moment is None else moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def parse(text: str | None) -> Any:
    """The aware datetime of an ISO string; None for None."""
    return None if text is None else datetime.fromisoformat(text).astimezone(UTC)


def _location(path: Any) -> str:
    """What DuckDB and people can open: a plain path for local files, else the URL."""
    return str(path)
