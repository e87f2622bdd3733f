"""What a model is: one table of the build, what it reads, and the SELECT that gives it."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import jinja2
from sqlglot import exp
from sqlglot.errors import ParseError, TokenError

from kreislauf.warehouse import dialect as dialects

if TYPE_CHECKING:
    import pyarrow

LAYERS = (
    "raw",
    "seeds",
    "staging",
    "core",
    "scores",
    "lifecycle",
    "funnels",
    "segments",
    "audiences",
    "conditions",
    "triggers",
    "cleanup",
    "reports",
)
"""From left to right: a model reads its own layer and those to the left of it."""

# It renders SQL, not HTML.
JINJA = jinja2.Environment(undefined=jinja2.StrictUndefined)  # ruff: ignore[jinja2-autoescape-false]

Read = Callable[[str], "pyarrow.Table"]
"""Gives a table of the build by its name."""


class ModelError(ValueError):
    """A file that cannot be used: which file, which line, why."""

    def __init__(self, path: Path, line: int | None, reason: str):
        self.path, self.line, self.reason = path, line, reason
        super().__init__(f"{path}{f':{line}' if line else ''}: {reason}")

    def __reduce__(self) -> tuple[type[ModelError], tuple[Path, int | None, str]]:
        return ModelError, (self.path, self.line, self.reason)


@dataclass(frozen=True)
class Model:
    """One table. `sql` is the SELECT as written, `path` where, `grain` its key columns."""

    name: str
    path: Path
    sentence: str
    owner: str
    grain: tuple[str, ...]
    sql: str
    depends_on: tuple[str, ...] = ()
    uses_as_of: bool = False
    answers: tuple[str, ...] = ()
    """The questions people ask that this table answers."""

    @property
    def layer(self) -> str:
        return self.name.partition(".")[0]

    @property
    def is_select(self) -> bool:
        """Whether `sql` is all there is to it: not so of lists and of Python."""
        return self.path.suffix not in (".csv", ".py")

    @property
    def is_file(self) -> bool:
        """Whether it is an SQL file of its own, and not a list, Python, or made from other files."""
        return self.path.suffix == ".sql"

    @cached_property
    def tree(self) -> exp.Expression:
        """Syntax tree of the text rendered for an arbitrary moment. Raises ModelError if it has none."""
        return _parse(self.path, self.rendered(datetime(2026, 1, 1)))

    @cached_property
    def columns(self) -> tuple[str, ...]:
        """Output columns in order; a final `select *` gives `*`."""
        return tuple(self.tree.named_selects)

    def rendered(self, as_of: datetime) -> str:
        """The portable SELECT as of a moment; a cell of a list may hold braces."""
        return render(self.path, self.sql, as_of) if self.is_file else self.sql

    def compile(self, dialect: str, as_of: datetime) -> str:
        """The statement for an engine's dialect, as of a moment (naive moments are UTC)."""
        text = self.rendered(as_of)
        try:
            return dialects.compile_sql(text, dialect)
        except ValueError as error:
            raise ModelError(self.path, None, str(error)) from None

    def statement(self, dialect: str, as_of: datetime, read: Read) -> str:
        """The SELECT whose result is the table; `read` serves those models that are no SELECT."""
        return self.compile(dialect, as_of)


def render(path: Path, text: str, as_of: datetime) -> str:
    """The file's text with its variables filled in; line numbers stay those of the file."""
    if as_of.tzinfo is not None:
        as_of = as_of.astimezone(UTC).replace(tzinfo=None)
    try:
        return JINJA.from_string(text).render(as_of=f"timestamp '{as_of.isoformat(' ')}'")
    except jinja2.TemplateSyntaxError as error:
        raise ModelError(path, error.lineno, f"malformed Jinja: {error.message}") from None
    except jinja2.UndefinedError as error:
        raise ModelError(
            path, None, f'{error.message}; set it at the top with {{% set name = "value" %}}'
        ) from None


def line_of(node: exp.Expression) -> int | None:
    """The line a node begins on, as far as its names tell."""
    lines = [n.meta["line"] for n in node.walk() if "line" in n.meta]
    return min(lines) if lines else None


def similar(name: str, known: Iterable[str]) -> str:
    """The end of a message about an unknown name: which known ones were meant, if any."""
    found = difflib.get_close_matches(name, sorted(known), n=3, cutoff=0.6)
    return f"; did you mean {', '.join(found)}?" if found else ""


def values_sql(columns: dict[str, str], rows: Iterable[Iterable[str | None]]) -> str:
    """A portable SELECT of constants: the rows, given as texts, in the columns' types."""
    typed = ", ".join(f"cast({name} as {type}) as {name}" for name, type in columns.items())
    listed = ",\n".join(f"({', '.join(map(_literal, row))})" for row in rows)
    if not listed:
        nulls = ", ".join(f"cast(null as {type}) as {name}" for name, type in columns.items())
        return f"select {nulls} where false"
    return f"select {typed}\nfrom (values\n{listed}\n) as listed ({', '.join(columns)})"


def _literal(text: str | None) -> str:
    return "null" if text is None else "'" + text.replace("'", "''") + "'"


def _parse(path: Path, sql: str) -> exp.Expression:
    try:
        tree = dialects.parse(sql)
    except ParseError as error:
        if not error.errors:
            raise ModelError(path, None, f"malformed SQL: {error}") from None
        first = error.errors[0]
        near = f" near {first['highlight']!r}" if first.get("highlight") else ""
        raise ModelError(path, first.get("line"), f"malformed SQL{near}: {first['description']}") from None
    except TokenError as error:
        raise ModelError(path, None, f"malformed SQL: {error}") from None
    if isinstance(tree, exp.Block):
        raise ModelError(path, line_of(tree), "more than one statement; a model is one SELECT")
    if not isinstance(tree, exp.Query):
        raise ModelError(
            path, line_of(tree), f"a model is one SELECT, not {tree.key.upper()}; the build materialises it"
        )
    return tree
