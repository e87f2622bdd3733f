"""Checking what an author wrote against the files that exist; every complaint names the file and the step."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

from kreislauf.flow.conditions import ANY, PREVIOUS
from kreislauf.flow.model import FlowError
from kreislauf.places import INCLUDE

T = TypeVar("T")

NAME = re.compile(r"[a-z][a-z0-9_]{0,62}")
"""What steps, sides and variants are called."""

_MOMENTS = ("TIMESTAMP", "DATE")


@dataclass(frozen=True)
class Checks:
    """The checks of one flow. Each raises FlowError.

    :param file: of the flow
    :param include: the folder of SQL files and templates
    :param trigger: of the flow, once it is known to exist
    """

    file: Path
    include: Path
    trigger: str

    def require(self, is_right: bool, otherwise: str, step: str | None = None) -> None:
        """What must hold, else `otherwise` is the complaint."""
        if not is_right:
            raise self._error(otherwise, step)

    def words(self, parse: Callable[[Any], T], word: str, words: Any, step: str | None = None) -> T:
        """What `parse` reads from words; `word` is where they stand, such as "after"."""
        try:
            return parse(words)
        except ValueError as error:
            raise self._error(f"{word}: {error}", step) from None

    def known(self, word: str, name: str, known: Sequence[str], step: str | None = None) -> None:
        """That a name is one of those that there are."""
        asked = f"{word}{name!r}" if word.endswith((".", " ")) else f"{word}={name!r}"
        self.require(name in known, f"{asked} does not exist; there are: {', '.join(known)}", step)

    def name(self, name: str) -> None:
        """That a step may be called so."""
        self.require(
            isinstance(name, str) and bool(NAME.fullmatch(name)) and name not in (PREVIOUS, ANY),
            "a name is lower case letters, digits and _, and not a word of conditions",
            str(name),
        )

    def moment(self, column: str, step: str) -> None:
        """That the trigger has this column, and that it is a timestamp or a date."""
        self.known("after: column ", column, self.columns, step)
        table = f"triggers.{self.trigger}"
        types = _types(self.include, table)
        moments = [name for name, type_ in types.items() if type_ in _MOMENTS]
        self.require(
            column in moments,
            f"after: column {column!r} is {types[column].lower()}, not a timestamp or a date; of {table} "
            f"these are: {', '.join(moments)}",
            step,
        )

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that the trigger gives."""
        return columns(self.include / "sql" / "triggers" / f"{self.trigger}.sql")

    def sql(self, layer: str) -> list[str]:
        """The names of a layer's SQL files."""
        return sorted(path.stem for path in (self.include / "sql" / layer).glob("*.sql"))

    def _error(self, what: str, step: str | None) -> FlowError:
        where = short(self.file) + (f", step {step!r}" if step is not None else "")
        return FlowError(f"{where}: {what}")


@cache
def columns(path: Path) -> tuple[str, ...]:
    """The columns that an SQL file gives."""
    from datetime import datetime

    from kreislauf.warehouse.dialect import parse
    from kreislauf.warehouse.model import render

    rendered = render(path, path.read_text(encoding="utf-8"), datetime(2026, 1, 1))
    return tuple(parse(rendered).named_selects)


@cache
def _types(include: Path, table: str) -> Mapping[str, str]:
    """The types of a table's columns. Runs the SQL of all that it reads on no rows: about a second."""
    from kreislauf.warehouse.models import load_models
    from kreislauf.warehouse.schema import Schema

    return Schema(load_models(include / "sql", check=False))[table]


def short(path: Path) -> str:
    """The path below the repository, as one would type it."""
    root = INCLUDE.parent
    return str(path.relative_to(root)) if path.is_relative_to(root) else str(path)
