'''Models in Python, for the few tables that no SELECT can compute: `include/sql/<layer>/<table>.py`.

    """The parameters of the purchase model, fitted to all buyers.

    owner: crm
    grain: parameter
    """
    READS = ("scores.purchase_counts",)
    COLUMNS = {"parameter": "VARCHAR", "value": "DOUBLE"}

    def rows(tables, as_of):
        counts = tables["scores.purchase_counts"]  # a pyarrow table
        ...

The rows are few: they reach the engine as a SELECT of constants, so that every engine can take them.
'''

from __future__ import annotations

import ast
import re
import runpy
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from kreislauf.warehouse.dialect import compile_sql
from kreislauf.warehouse.model import Model, ModelError, Read, values_sql


@dataclass(frozen=True)
class PythonModel(Model):
    """`sql` gives its columns and no rows; `statement` runs the file's `rows`."""

    stored_as: tuple[tuple[str, str], ...] = ()

    def statement(self, dialect: str, as_of: datetime, read: Read) -> str:
        """Raises ModelError when the file's rows are not what COLUMNS says."""
        moment = as_of.replace(tzinfo=UTC) if as_of.tzinfo is None else as_of.astimezone(UTC)
        columns = dict(self.stored_as)
        rows = []
        for row in runpy.run_path(str(self.path))["rows"](
            {table: read(table) for table in self.depends_on}, moment
        ):
            if set(row) != set(columns):
                raise ModelError(
                    self.path, None, f"rows() gives {', '.join(row)}; COLUMNS are {', '.join(columns)}"
                )
            rows.append([_text(row[name]) for name in columns])
        return compile_sql(values_sql(columns, rows), dialect)


def load_python_model(path: Path) -> PythonModel:
    """The model of a Python file; the file is read, not run.

    Raises:
        ModelError: malformed Python, no docstring with owner and grain, no READS, COLUMNS or rows.
    """
    text = path.read_text(encoding="utf-8")
    try:
        tree = ast.parse(text)
    except SyntaxError as error:
        raise ModelError(path, error.lineno, f"malformed Python: {error.msg}") from None
    doc = ast.get_docstring(tree) or ""
    said = dict(re.findall(r"^(owner|grain): (.+)$", doc, re.MULTILINE))
    sentence = " ".join(doc.partition("\n\n")[0].split())
    if not sentence.endswith(".") or set(said) != {"owner", "grain"}:
        raise ModelError(path, 1, "the docstring is a sentence, then the lines `owner: …` and `grain: …`")
    constants = _constants(path, tree)
    columns = {name: _TYPES.get(type, type.lower()) for name, type in constants["COLUMNS"].items()}
    grain = tuple(column.strip() for column in said["grain"].split(","))
    if missing := [column for column in grain if column not in columns]:
        raise ModelError(path, 1, f"grain names {', '.join(missing)}, which COLUMNS does not have")
    return PythonModel(
        name=f"{path.parent.name}.{path.stem}",
        path=path,
        sentence=sentence,
        owner=said["owner"],
        grain=grain,
        sql=values_sql(columns, []),
        depends_on=tuple(sorted(constants["READS"])),
        uses_as_of=True,
        stored_as=tuple(columns.items()),
    )


_TYPES = {"DOUBLE": "double precision", "DOUBLE PRECISION": "double precision"}


def _constants(path: Path, tree: ast.Module) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for node in tree.body:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            name = node.targets[0].id
            if name in ("READS", "COLUMNS"):
                try:
                    found[name] = ast.literal_eval(node.value)
                except ValueError:
                    raise ModelError(path, node.lineno, f"{name} is written out, not computed") from None
    functions = {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
    if missing := [n for n in ("READS", "COLUMNS") if n not in found] + [
        n for n in ("rows",) if n not in functions
    ]:
        raise ModelError(
            path, None, f"{', '.join(missing)} is missing; see kreislauf.warehouse.python_models"
        )
    return found


def _text(value: Any) -> str | None:
    if value is None:
        return None
    if isinstance(value, datetime) and value.tzinfo is not None:
        value = value.astimezone(UTC).replace(tzinfo=None)
    if isinstance(value, bool):
        return str(value).lower()
    # repr() of a double is the shortest text that gives the same double again.
    return repr(value) if isinstance(value, float) else str(value)
