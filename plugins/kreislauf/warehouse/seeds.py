"""Seeds: lists that people keep in git, `include/sql/seeds/<name>.csv`, as tables `seeds.<name>`.

    # What one message costs on each channel.
    # owner: crm
    # grain: channel, valid_from
    # types: valid_from date, cost decimal(18, 4)
    channel,valid_from,cost
    mail,2025-01-01,0.0004

Columns without a type are texts. An empty cell is NULL.
"""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from itertools import takewhile
from pathlib import Path

from kreislauf.warehouse.model import Model, ModelError, values_sql

_TYPE = re.compile(r"([a-z_][a-z0-9_]*) (varchar|bigint|boolean|date|timestamp|decimal\(\d+, \d+\))")


SHOWN_LINES = 30


@dataclass(frozen=True)
class Seed(Model):
    """`sql` is only the list's beginning, to look at; its rows are read when they are asked for."""

    stored_as: tuple[tuple[str, str], ...] = ()

    def rendered(self, as_of: datetime) -> str:
        """The list as a SELECT of constants.

        Raises:
            ModelError: a row with too few or too many cells, a value that does not fit its column's
                type, a key that is empty or occurs twice.
        """
        comments, rows = _read(self.path)
        columns = dict(self.stored_as)
        return values_sql(columns, _cells(self.path, columns, self.grain, rows[1:], len(comments) + 2))


def load_seed(path: Path) -> Seed:
    """The model of a CSV file; of the file only the header is checked.

    Raises:
        ModelError: the header is malformed.
    """
    comments, rows = _read(path)
    if not comments or not comments[0].endswith("."):
        raise ModelError(
            path, 1, "a list begins with `# A sentence.`, `# owner: crm`, `# grain: name`, then the CSV"
        )
    said = dict(re.findall(r"# (owner|grain|types): (.+)", "\n".join(comments[1:])))
    for name in ("owner", "grain"):
        if name not in said:
            raise ModelError(path, 1, f"the header lacks `# {name}: …`")
    names = rows[0] if rows else []
    if wrong := [name for name in names if not re.fullmatch(r"[a-z_][a-z0-9_]*", name)] or not names:
        raise ModelError(
            path, len(comments) + 1, f"column names are lower-case letters, digits and _, not {wrong}"
        )
    columns = dict.fromkeys(names, "varchar") | _types(path, said.get("types", ""), names)
    grain = tuple(column.strip() for column in said["grain"].split(","))
    if missing := [column for column in grain if column not in columns]:
        raise ModelError(path, 1, f"grain names {', '.join(missing)}, which is no column")
    return Seed(
        name=f"seeds.{path.stem}",
        path=path,
        sentence=comments[0].removeprefix("#").strip(),
        owner=said["owner"],
        grain=grain,
        sql="\n".join([*comments, *(",".join(row) for row in rows[:SHOWN_LINES])]),
        stored_as=tuple(columns.items()),
    )


def _read(path: Path) -> tuple[list[str], list[list[str]]]:
    """The comment lines at the top, and the rows below them."""
    lines = path.read_text(encoding="utf-8-sig").splitlines()
    comments = list(takewhile(lambda line: line.startswith("#"), lines))
    return comments, list(csv.reader(lines[len(comments) :]))


def _types(path: Path, said: str, names: list[str]) -> dict[str, str]:
    types = {}
    for entry in re.split(r",\s*(?![^(]*\))", said) if said else []:
        found = _TYPE.fullmatch(entry.strip())
        if found is None or found[1] not in names:
            raise ModelError(
                path,
                1,
                f"types: {entry.strip()!r} is not a column and one of varchar, bigint, boolean, date, "
                "timestamp, decimal(18, 2)",
            )
        types[found[1]] = found[2]
    return types


def _cells(
    path: Path, columns: dict[str, str], grain: tuple[str, ...], rows: list[list[str]], first_line: int
) -> list[list[str | None]]:
    found, keys = [], set()
    for line, row in enumerate(rows, first_line):
        if len(row) != len(columns):
            raise ModelError(path, line, f"{len(row)} cells, but the header has {len(columns)} columns")
        cells = {name: cell.strip() or None for name, cell in zip(columns, row, strict=True)}
        for name, cell in cells.items():
            if cell is not None and not _fits(cell, columns[name]):
                raise ModelError(path, line, f"{name}: {cell!r} is no {columns[name]}")
        key = tuple(cells[column] for column in grain)
        if None in key or key in keys:
            raise ModelError(path, line, f"{', '.join(grain)} is empty or occurs twice")
        keys.add(key)
        found.append(list(cells.values()))
    return found


def _fits(cell: str, type: str) -> bool:
    try:
        match type.partition("(")[0]:
            case "bigint":
                int(cell)
            case "decimal":
                Decimal(cell)
            case "date":
                date.fromisoformat(cell)
            case "timestamp":
                return datetime.fromisoformat(cell).tzinfo is None
            case "boolean":
                return cell in ("true", "false")
    except (ValueError, InvalidOperation):
        return False
    return True
