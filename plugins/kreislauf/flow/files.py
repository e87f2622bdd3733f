"""The flows there are, read from dags/flow/ without making DAGs of them: Airflow is not needed."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kreislauf.flow.model import Flow, FlowError, Step, dag_id
from kreislauf.places import INCLUDE

FOLDER = INCLUDE.parent / "dags" / "flow"


@dataclass(frozen=True)
class FlowFile:
    """A flow as a file declares it. `name` is the DAG's id and the flow's name in the ledger."""

    path: Path
    name: str
    doc: str
    flow: Flow
    steps: Sequence[Step]

    @property
    def short(self) -> str:
        """Its name in dags/flow/, which is its templates' folder."""
        return self.path.stem


def read(path: Path, include: Path = INCLUDE) -> FlowFile:
    """The flow of one file. Raises FlowError if it declares none, or one that cannot be run as written."""
    tree = ast.parse(path.read_text(encoding="utf-8"), str(path))
    doc = ast.get_docstring(tree) or ""
    tree.body = [statement for statement in tree.body if not _makes_the_dag(statement)]
    names: dict[str, Any] = {"__file__": str(path), "__name__": path.stem}
    exec(compile(tree, str(path), "exec"), names)  # ruff: ignore[exec-builtin] our own file, as Airflow does
    flow = names.get("flow")
    if not isinstance(flow, Flow):
        raise FlowError(f"{path.name} declares no flow; it has a line such as: flow = Flow(...)")
    return FlowFile(path, dag_id(path), doc, flow, flow.resolve(path, include))


def read_all(folder: Path = FOLDER, include: Path = INCLUDE) -> dict[str, FlowFile]:
    """All flows by name, sorted. Raises FlowError."""
    return {flow.name: flow for flow in (read(path, include) for path in sorted(folder.glob("*.py")))}


def find(name: str, folder: Path = FOLDER) -> FlowFile:
    """A flow by its DAG's id or its file's name. Raises LookupError that lists those that there are."""
    short = name.removeprefix("flow_")
    known = sorted(path.stem for path in folder.glob("*.py"))
    if short not in known:
        raise LookupError(f"there is no flow {name!r}; there are: {', '.join(known)}")
    return read(folder / f"{short}.py")


def _makes_the_dag(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.Assign) and ast.unparse(statement.targets[0]) == "dag"
