"""SQL files as models: one file is one SELECT, and says by itself what it reads.

A file begins with at most four comment lines: a sentence, `owner:` and `grain:` (the columns that
identify a row). Jinja is limited to `{% set name = "value" %}` and `{{ name }}`; `{{ as_of }}` is the
moment the build looks from, the only clock there is.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import jinja2
from jinja2 import meta, nodes
from sqlglot import exp
from sqlglot.errors import ParseError, TokenError

from kreislauf.warehouse import dialect as dialects
from kreislauf.warehouse.raw import raw_columns

LAYERS = (
    "raw",
    "staging",
    "core",
    "scores",
    "lifecycle",
    "segments",
    "conditions",
    "triggers",
    "audiences",
    "cleanup",
    "reports",
)
"""From left to right: a model reads its own layer and those to the left of it."""

# It renders SQL, not HTML.
_JINJA = jinja2.Environment(undefined=jinja2.StrictUndefined)  # ruff: ignore[jinja2-autoescape-false]
_ALLOWED_JINJA = (nodes.Template, nodes.Output, nodes.TemplateData, nodes.Name, nodes.Assign, nodes.Const)
_READS = re.compile(rf"\b(?:from|join)\s+((?:{'|'.join(LAYERS)})\.[a-z_][a-z0-9_]*)", re.IGNORECASE)
_HEADER = re.compile(r"--\s*(owner|grain):\s*(.*)")


class ModelError(ValueError):
    """A SQL file that cannot be used: which file, which line, why."""

    def __init__(self, path: Path, line: int | None, reason: str):
        self.path, self.line, self.reason = path, line, reason
        super().__init__(f"{path}{f':{line}' if line else ''}: {reason}")


@dataclass(frozen=True)
class Model:
    """One SQL file. `sql` is its text as written; `grain` its key columns."""

    name: str
    path: Path
    sentence: str
    owner: str
    grain: tuple[str, ...]
    sql: str
    depends_on: tuple[str, ...]
    uses_as_of: bool

    @property
    def layer(self) -> str:
        return self.name.partition(".")[0]

    @cached_property
    def tree(self) -> exp.Expression:
        """Syntax tree of the text rendered for an arbitrary moment. Raises ModelError if it has none."""
        return _parse(self.path, render(self.path, self.sql, datetime(2026, 1, 1)))

    @cached_property
    def columns(self) -> tuple[str, ...]:
        """Output columns in order; a final `select *` gives `*`."""
        return tuple(self.tree.named_selects)

    def compile(self, dialect: str, as_of: datetime) -> str:
        """The statement for an engine's dialect, as of a moment (naive moments are UTC)."""
        try:
            return dialects.compile_sql(render(self.path, self.sql, as_of), dialect)
        except ValueError as error:
            raise ModelError(self.path, None, str(error)) from None


def load_models(sql_dir: Path, *, check: bool = True) -> dict[str, Model]:
    """All models under `<sql_dir>/<layer>/<table>.sql`, those that are read before those that read.

    Without `check` only headers and references are looked at, for the parsing of DAGs, which happens
    in every task's process; the build checks the files when it begins.

    Raises:
        ModelError: a file is malformed, or reads a table that does not exist or that stands to
            its right, or models read each other in a circle.
    """
    models = {}
    for path in sorted(sql_dir.glob("*/*.sql")):
        model = _outline(path)
        models[model.name] = model
    if check:
        for model in models.values():
            _check(model, models)
    return {name: models[name] for name in _order(models)}


def _outline(path: Path) -> Model:
    layer, table = path.parent.name, path.stem
    if layer not in LAYERS[1:]:
        hint = f"{_similar(layer, LAYERS[1:])}; the layers are {', '.join(LAYERS[1:])}"
        raise ModelError(path, None, f"{layer!r} is no layer{hint}")
    if not re.fullmatch(r"[a-z][a-z0-9_]*", table):
        raise ModelError(path, None, f"{table!r} is no table name; use lower-case letters, digits and _")
    text = path.read_text(encoding="utf-8")
    if not text.strip():
        raise ModelError(path, 1, "the file is empty; a model is a header and one SELECT")
    sentence, owner, grain = _header(path, text)
    # Comments and texts may say "from core.contacts" too.
    code = re.sub(r"--[^\n]*|'(?:[^']|'')*'", " ", text)
    return Model(
        name=f"{layer}.{table}",
        path=path,
        sentence=sentence,
        owner=owner,
        grain=grain,
        sql=text,
        depends_on=tuple(sorted({match[1].lower() for match in _READS.finditer(code)})),
        uses_as_of=bool(re.search(r"\bas_of\b", code)),
    )


def _check(model: Model, models: Mapping[str, Model]) -> None:
    _check_jinja(model.path, model.sql)
    missing = [column for column in model.grain if column not in model.columns]
    if missing and not model.tree.is_star:
        line = next(i for i, text in enumerate(model.sql.splitlines(), 1) if "grain:" in text)
        reason = f"grain names {', '.join(missing)}, which the SELECT does not give"
        raise ModelError(model.path, line, f"{reason}; write its key columns: `-- grain: contact_id`")
    _check_references(model, models)


def render(path: Path, text: str, as_of: datetime) -> str:
    """The file's text with its variables filled in; line numbers stay those of the file."""
    if as_of.tzinfo is not None:
        as_of = as_of.astimezone(UTC).replace(tzinfo=None)
    try:
        return _JINJA.from_string(text).render(as_of=f"timestamp '{as_of.isoformat(' ')}'")
    except jinja2.TemplateSyntaxError as error:
        raise ModelError(path, error.lineno, f"malformed Jinja: {error.message}") from None
    except jinja2.UndefinedError as error:
        raise ModelError(
            path, None, f'{error.message}; set it at the top with {{% set name = "value" %}}'
        ) from None


def tables_read(tree: exp.Expression) -> list[exp.Table]:
    """Table references except those to the statement's own CTEs."""
    ctes = {cte.alias_or_name for cte in tree.find_all(exp.CTE)}
    named = (t for t in tree.find_all(exp.Table) if isinstance(t.this, exp.Identifier))
    return [t for t in named if t.db or t.name not in ctes]


def line_of(node: exp.Expression) -> int | None:
    """The line a node begins on, as far as its names tell."""
    lines = [n.meta["line"] for n in node.walk() if "line" in n.meta]
    return min(lines) if lines else None


def _header(path: Path, text: str) -> tuple[str, str, tuple[str, ...]]:
    comments = []
    for line in text.splitlines():
        if not line.startswith("--"):
            break
        comments.append(line)
    if len(comments) > 4:
        raise ModelError(path, 5, "the header has more than four comment lines; say it shorter")
    named = {m[1]: m[2].strip() for m in map(_HEADER.fullmatch, comments) if m}
    sentence = " ".join(c.removeprefix("--").strip() for c in comments if not _HEADER.fullmatch(c))
    if not sentence.endswith("."):
        raise ModelError(
            path,
            1,
            "the header begins with a sentence that ends in a full stop: `-- Buyers who have gone quiet.`",
        )
    for name, example in (("owner", "crm"), ("grain", "contact_id")):
        if not named.get(name):
            raise ModelError(path, 1, f"the header lacks `-- {name}: {example}`")
    return sentence, named["owner"], tuple(c.strip() for c in named["grain"].split(","))


def _check_jinja(path: Path, text: str) -> None:
    try:
        template = _JINJA.parse(text)
    except jinja2.TemplateSyntaxError as error:
        raise ModelError(path, error.lineno, f"malformed Jinja: {error.message}") from None
    for node in [template, *template.find_all(nodes.Node)]:
        if not isinstance(node, _ALLOWED_JINJA):
            raise ModelError(
                path, node.lineno, f"Jinja {type(node).__name__.lower()} is not allowed; "
                'only {% set name = "value" %} and {{ name }} are',
            )  # fmt: skip
    undeclared = meta.find_undeclared_variables(template)
    for name in sorted(undeclared - {"as_of"}):
        line = next(n.lineno for n in template.find_all(nodes.Name) if n.name == name)
        raise ModelError(path, line, f'{name} is not set; add {{% set {name} = "…" %}} at the top')


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


def _check_references(model: Model, models: Mapping[str, Model]) -> None:
    known = {*models, *(f"raw.{name}" for name in raw_columns())}
    for table in tables_read(model.tree):
        name, line = f"{table.db}.{table.name}" if table.db else table.name, line_of(table)
        if not table.db:
            suggestions = [k for k in sorted(known) if k.partition(".")[2] == name]
            hint = f"; did you mean {', '.join(suggestions)}?" if suggestions else _similar(name, known)
            raise ModelError(model.path, line, f"{name} is neither a CTE of this file nor layer.table{hint}")
        if name not in model.depends_on and name in known:
            raise ModelError(model.path, line, f"write {name} right after `from` or `join`, in lower case")
        if name not in known:
            raise ModelError(model.path, line, f"unknown table {name}{_similar(name, known)}")
        if LAYERS.index(table.db) > LAYERS.index(model.layer):
            raise ModelError(
                model.path, line, f"{model.name} reads {name}, which stands to its right; the layers are, "
                f"from left to right, {', '.join(LAYERS)}",
            )  # fmt: skip


def _order(models: Mapping[str, Model]) -> Iterable[str]:
    graph = {name: [d for d in model.depends_on if d in models] for name, model in models.items()}
    try:
        order = list(TopologicalSorter(graph).static_order())
    except CycleError as error:
        circle = error.args[1]
        raise ModelError(
            models[circle[0]].path, None, f"models read each other in a circle: {' -> '.join(circle)}"
        ) from None
    # By layer first: the order in which people think of them, and one that is always valid too.
    return sorted(order, key=lambda name: LAYERS.index(models[name].layer))


def _similar(name: str, known: Iterable[str]) -> str:
    found = difflib.get_close_matches(name, sorted(known), n=3, cutoff=0.6)
    return f"; did you mean {', '.join(found)}?" if found else ""
