"""All models of a folder: one file is one table, and says by itself what it reads.

An SQL file begins with at most five comment lines: a sentence, `answers:` (questions people ask, may be
left out), `owner:` and `grain:` (the columns that identify a row). Jinja is limited to
`{% set name = "value" %}` and `{{ name }}`; `{{ as_of }}` is the moment the build looks from, the only
clock there is. Lists are CSV files (seeds.py), what no SELECT can compute is Python (python_models.py),
some tables are made from all files of a layer (generated.py), and a funnel says its stages (funnels.py).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import datetime
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import jinja2
from jinja2 import meta, nodes
from sqlglot import exp

from kreislauf.warehouse.funnels import with_stays
from kreislauf.warehouse.generated import generated_models
from kreislauf.warehouse.model import JINJA, LAYERS, Model, ModelError, line_of, render, similar
from kreislauf.warehouse.python_models import load_python_model
from kreislauf.warehouse.raw import raw_columns
from kreislauf.warehouse.seeds import load_seed

__all__ = [
    "LAYERS",
    "Model",
    "ModelError",
    "check_model",
    "line_of",
    "load_models",
    "render",
    "tables_read",
]

_ALLOWED_JINJA = (nodes.Template, nodes.Output, nodes.TemplateData, nodes.Name, nodes.Assign, nodes.Const)
_READS = re.compile(rf"\b(?:from|join)\s+((?:{'|'.join(LAYERS)})\.[a-z_][a-z0-9_]*)", re.IGNORECASE)
_HEADER = re.compile(r"--\s*(answers|owner|grain):\s*(.*)")


def load_models(sql_dir: Path, *, check: bool = True) -> dict[str, Model]:
    """All models under `<sql_dir>/<layer>/`, those that are read before those that read.

    Without `check` only headers and references are looked at, for the parsing of DAGs, which happens
    in every task's process; the build checks the files when it begins.

    Raises:
        ModelError: a file is malformed, or reads a table that does not exist or that stands to
            its right, or models read each other in a circle.
    """
    models: dict[str, Model] = {}
    for path in sorted(path for path in sql_dir.glob("*/*") if path.suffix in _LOADERS):
        if f"{path.parent.name}.{path.stem}" in models:
            raise ModelError(path, None, "another file of this folder has the same name")
        _check_name(path)
        model = _LOADERS[path.suffix](path)
        models[model.name] = model
    models |= generated_models(sql_dir, models)
    if check:
        for model in models.values():
            check_model(model, models)
    return {name: models[name] for name in _order(models)}


def check_model(model: Model, models: Mapping[str, Model]) -> None:
    """What `load_models` checks of one model, for those who want to know of a few only.

    Raises:
        ModelError: its file is malformed, or it reads what is not among the models or to its right.
    """
    if not model.is_file:
        model.rendered(datetime.min)
        _check_reads(model, models)
        return
    _check_jinja(model.path, model.sql)
    missing = [column for column in model.grain if column not in model.columns]
    if missing and not model.tree.is_star:
        line = next(i for i, text in enumerate(model.sql.splitlines(), 1) if "grain:" in text)
        reason = f"grain names {', '.join(missing)}, which the SELECT does not give"
        raise ModelError(model.path, line, f"{reason}; write its key columns: `-- grain: contact_id`")
    _check_references(model, models)


def tables_read(tree: exp.Expression) -> list[exp.Table]:
    """Table references except those to the statement's own CTEs."""
    ctes = {cte.alias_or_name for cte in tree.find_all(exp.CTE)}
    named = (t for t in tree.find_all(exp.Table) if isinstance(t.this, exp.Identifier))
    return [t for t in named if t.db or t.name not in ctes]


def _check_name(path: Path) -> None:
    layer, table = path.parent.name, path.stem
    if layer not in LAYERS[1:]:
        hint = f"{similar(layer, LAYERS[1:])}; the layers are {', '.join(LAYERS[1:])}"
        raise ModelError(path, None, f"{layer!r} is no layer{hint}")
    if not re.fullmatch(r"[a-z][a-z0-9_]*", table):
        raise ModelError(path, None, f"{table!r} is no table name; use lower-case letters, digits and _")
    if (path.suffix == ".csv") != (layer == "seeds"):
        raise ModelError(path, None, "lists (CSV files) stand in seeds/, and nothing else does")
    if not path.read_bytes().strip():
        raise ModelError(path, 1, "the file is empty; a model is a header and one SELECT")


def _load_sql(path: Path) -> Model:
    text = path.read_text(encoding="utf-8")
    sentence, said = _header(path, text)
    if path.parent.name == "funnels":
        text = with_stays(path, text)
    # Comments and texts may say "from core.contacts" too.
    code = re.sub(r"--[^\n]*|'(?:[^']|'')*'", " ", text)
    return Model(
        name=f"{path.parent.name}.{path.stem}",
        path=path,
        sentence=sentence,
        owner=said["owner"],
        grain=tuple(column.strip() for column in said["grain"].split(",")),
        answers=tuple(question.strip() for question in re.findall(r"[^?]+[?]", said.get("answers", ""))),
        sql=text,
        depends_on=tuple(sorted({match[1].lower() for match in _READS.finditer(code)})),
        uses_as_of=bool(re.search(r"\bas_of\b", code)),
    )


_LOADERS = {".sql": _load_sql, ".csv": load_seed, ".py": load_python_model}


def _header(path: Path, text: str) -> tuple[str, dict[str, str]]:
    comments = []
    for line in text.splitlines():
        if not line.startswith("--"):
            break
        comments.append(line)
    if len(comments) > 5:
        raise ModelError(path, 6, "the header has more than five comment lines; say it shorter")
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
    if named.get("answers", "?")[-1:] != "?":
        raise ModelError(path, 1, "`-- answers:` is one or more questions: `-- answers: Who has gone quiet?`")
    return sentence, named


def _check_jinja(path: Path, text: str) -> None:
    try:
        template = JINJA.parse(text)
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


def _check_references(model: Model, models: Mapping[str, Model]) -> None:
    known = {*models, *(f"raw.{name}" for name in raw_columns())}
    for table in tables_read(model.tree):
        name, line = f"{table.db}.{table.name}" if table.db else table.name, line_of(table)
        if not table.db:
            suggestions = [k for k in sorted(known) if k.partition(".")[2] == name]
            hint = f"; did you mean {', '.join(suggestions)}?" if suggestions else similar(name, known)
            raise ModelError(model.path, line, f"{name} is neither a CTE of this file nor layer.table{hint}")
        if name not in model.depends_on and name in known:
            raise ModelError(model.path, line, f"write {name} right after `from` or `join`, in lower case")
        if name not in known:
            raise ModelError(model.path, line, f"unknown table {name}{similar(name, known)}")
        if LAYERS.index(table.db) > LAYERS.index(model.layer):
            raise ModelError(
                model.path, line, f"{model.name} reads {name}, which stands to its right; the layers are, "
                f"from left to right, {', '.join(LAYERS)}",
            )  # fmt: skip


def _check_reads(model: Model, models: Mapping[str, Model]) -> None:
    """The same for a model that names its tables elsewhere than in SQL."""
    known = {*models, *(f"raw.{name}" for name in raw_columns())}
    for name in model.depends_on:
        if name not in known:
            raise ModelError(model.path, None, f"unknown table {name}{similar(name, known)}")
        if LAYERS.index(name.partition(".")[0]) > LAYERS.index(model.layer):
            raise ModelError(model.path, None, f"{model.name} reads {name}, which stands to its right")


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
