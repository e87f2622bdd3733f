"""Files that people put into an inbox folder: CSV, or NDJSON, plain or as .gz.

The header of a CSV names its columns, in any order; cells are separated by `;`, `,` or tab, in
UTF-8. Days and numbers may be written the German way (31.12.2026; 1.234,50). A row that cannot be
read for certain is no guess: it goes to quarantine, and says there which line of which file it is.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable, Iterator
from typing import Any

from kreislauf.landing.load import digest
from kreislauf.sources.base import line
from kreislauf.sources.errors import BadAnswer
from kreislauf.sources.inbox import Inbox, opened
from kreislauf.sources.streams import Stream

_CSV = (".csv", ".csv.gz")
_GERMAN_DAY = re.compile(r"([0-9]{2})\.([0-9]{2})\.([0-9]{4})")
_DECIMAL_COMMA = re.compile(r"[+-]?([0-9]{1,3}(\.[0-9]{3})+|[0-9]+),[0-9]{1,2}")
_AMBIGUOUS = re.compile(r"[+-]?[1-9][0-9]{0,2}[.,][0-9]{3}")
"""A thousand or more, or one and a bit: it depends on who wrote it."""

Record = dict[str, Any]


class FilesInbox(Inbox):
    """An inbox folder filled by people, who use a name again, and may still be copying a file."""

    suffixes = (*_CSV, ".ndjson", ".ndjson.gz")

    def mark(self, path: Any) -> str:
        """Name and content: other rows under the same name are another file."""
        return f"{path.name} {digest(path)}"

    def name_of(self, mark: str) -> str:
        return mark.rpartition(" ")[0]

    def committed(self) -> None:
        """Remove what has been landed, but not what has grown or been replaced since: that comes next."""
        for mark, path in {**self._taken, **self._leftover}.items():
            if path.exists() and self.mark(path) == mark:
                path.unlink(missing_ok=True)

    def lines(self, path: Any, stream: Stream) -> Iterator[bytes]:
        """The rows of a file as records with `_file` and `_line`; what is no row has a `_fault` as well.

        Raises BadAnswer naming a file that is damaged, or whose header lacks a required column.
        """
        rows = _csv_rows if path.name.endswith(_CSV) else _ndjson_rows
        try:
            with opened(path) as file:
                text = io.TextIOWrapper(file, encoding="utf-8-sig", newline="")
                for number, record in rows(path, text, stream):
                    yield line(record | {"_file": path.name, "_line": number})
        except UnicodeDecodeError as error:
            raise _refused(path, "it is not UTF-8") from error
        except csv.Error as error:
            raise _refused(path, f"it cannot be read as CSV ({error})") from error


def _csv_rows(path: Any, text: io.TextIOWrapper, stream: Stream) -> Iterator[tuple[int, Record]]:
    first = text.readline()
    separator = next((mark for mark in ";\t" if mark in first), ",")
    [names] = csv.reader([first], delimiter=separator) if first.strip() else [[]]
    names = [name.strip().lower() for name in names]
    _check_header(path, names, stream)
    readers = [_READERS.get(_types(stream).get(name, ""), str) for name in names]
    rows = csv.reader(text, delimiter=separator)
    for cells in rows:
        cells = [cell.strip() for cell in cells]
        if not any(cells):
            continue
        if len(cells) != len(names):
            fault = f"{len(cells)} cells, the header names {len(names)}: {separator.join(cells)}"
            yield rows.line_num + 1, {"_fault": fault}
            continue
        yield (
            rows.line_num + 1,
            {
                name: read(cell) if cell else None
                for name, read, cell in zip(names, readers, cells, strict=True)
            },
        )


def _ndjson_rows(path: Any, text: io.TextIOWrapper, stream: Stream) -> Iterator[tuple[int, Record]]:
    for number, given in enumerate(text, start=1):
        if not given.strip():
            continue
        try:
            record = json.loads(given)
        except ValueError:
            record = None
        yield number, record if isinstance(record, dict) else {"_fault": f"no JSON object: {given.strip()}"}


def _check_header(path: Any, names: list[str], stream: Stream) -> None:
    required = [
        column.path.removeprefix("$.")
        for table in stream.tables.values()
        for column in table.columns.values()
        if column.required
    ]
    if not set(names) & _types(stream).keys():
        # Without a header these are somebody's data, which no log may show.
        raise _refused(path, f"its first line names no column; these are wanted: {', '.join(required)}")
    found = f"its header names {', '.join(names)}"
    if missing := [name for name in required if name not in names]:
        raise _refused(path, f"the column {', '.join(missing)} is missing; {found}")
    if len(set(names)) < len(names) or "" in names:
        raise _refused(path, f"each column needs a name of its own; {found}")


def _types(stream: Stream) -> dict[str, str]:
    return {
        column.path.removeprefix("$."): column.type
        for table in stream.tables.values()
        for column in table.columns.values()
    }


def _number(cell: str) -> str:
    """A number with a decimal point. One that can be read in two ways is marked, and so no number."""
    if _AMBIGUOUS.fullmatch(cell):
        return f"{cell} (thousands or decimals?)"
    if _DECIMAL_COMMA.fullmatch(cell):
        return cell.replace(".", "").replace(",", ".")
    return cell


def _day(cell: str) -> str:
    found = _GERMAN_DAY.fullmatch(cell)
    return "-".join(reversed(found.groups())) if found else cell


_READERS: dict[str, Callable[[str], str]] = {
    "DECIMAL(18,2)": _number,
    "BIGINT": _number,
    "DATE": _day,
    "TIMESTAMP": _day,
}


def _refused(path: Any, reason: str) -> BadAnswer:
    return BadAnswer(f"{path}: {reason}. Mend the file or move it away, then clear the task")
