"""The house: what may import what, what is pinned, what is never committed."""

from __future__ import annotations

import ast
import importlib.util
import re
import subprocess
from pathlib import Path

import pytest
import yaml

REPOSITORY = Path(__file__).resolve().parents[2]
PACKAGE = REPOSITORY / "plugins" / "kreislauf"
MODULES = sorted(PACKAGE.rglob("*.py"))

KNOWS_AIRFLOW = {
    "assets.py",
    "hooks.py",
    "flow/dag.py",
    "landing/dag.py",
    "page/app.py",
    "quality/links.py",
    "schedule.py",
    "warehouse/operator.py",
}
"""The thin ones: everything else in the package is plain Python."""

RANK = {
    "connections": 0,
    "places": 0,
    "ledger": 1,
    "sources": 2,
    "landing": 2,
    "warehouse": 3,
    "quality": 4,
    "vouchers": 4,
    "delivery": 4,
    "web": 5,
    "flow": 5,
}
"""Imports point from a higher number to a lower or equal one."""


def _imports(path: Path) -> set[str]:
    """What a module imports when it runs; imports for type checkers do not count."""
    found = set()
    tree = ast.parse(path.read_text())
    for node in tree.body:
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            node.body = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module)
    return found


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_only_the_thin_operators_know_airflow(path):
    relative = path.relative_to(PACKAGE).as_posix()
    if relative not in KNOWS_AIRFLOW:
        airflow = {name for name in _imports(path) if name.split(".")[0] == "airflow"}
        assert not airflow, f"{relative} imports {airflow}: take it as an argument, or use hooks.py"


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_point_one_way(path):
    relative = path.relative_to(PACKAGE)
    package = relative.parts[0].removesuffix(".py")
    if package not in RANK or relative.as_posix() in KNOWS_AIRFLOW:
        return
    for name in _imports(path):
        parts = name.split(".")
        if parts[0] == "kreislauf" and len(parts) > 1 and parts[1] in RANK:
            assert RANK[parts[1]] <= RANK[package], f"{package} must not import {name}"


def test_the_package_does_not_know_the_sandbox():
    assert not [path for path in MODULES if any(name.split(".")[0] == "sandbox" for name in _imports(path))]


def test_plugin_files_shadow_no_module():
    for path in (REPOSITORY / "plugins").glob("*.py"):
        spec = importlib.util.find_spec(path.stem)
        assert spec is None or Path(spec.origin) == path, f"Airflow would load {path.name} as {path.stem}"
    assert "kreislauf/" in (REPOSITORY / "plugins" / ".airflowignore").read_text().split()


def test_every_requirement_is_pinned():
    pins = [
        line
        for line in (REPOSITORY / "requirements.txt").read_text().splitlines()
        if line and not line.lstrip().startswith("#")
    ]
    assert [line for line in pins if "==" not in line] == []
    pinned = {re.split(r"[=\[;]", line)[0].strip().lower() for line in pins}
    wished = {
        re.split(r"[=<>\[;]", line)[0].strip().lower()
        for line in (REPOSITORY / "requirements.in").read_text().splitlines()
        if line.strip() and not line.startswith("#")
    }
    assert wished <= pinned, f"compile requirements.txt again: {wished - pinned}"


def test_make_help_lists_at_most_fifteen_targets():
    listed = subprocess.run(
        ["make", "help"], cwd=REPOSITORY, capture_output=True, text=True, check=True
    ).stdout
    targets = re.findall(r"^  make (\S+)", listed, re.M)
    assert {"run", "test", "up", "down", "check", "bench", "sql", "segment", "flow", "clean"} <= set(targets)
    assert len(targets) <= 15


def test_compose_file_is_valid_and_holds_no_secret():
    path = REPOSITORY / "docker-compose.yaml"
    subprocess.run(
        ["check-jsonschema", "--builtin-schema", "vendor.compose-spec", str(path)],
        check=True,
        env={"PATH": str(Path(__import__("sys").executable).parent)},
    )
    compose = yaml.safe_load(path.read_text())
    for name, service in compose["services"].items():
        if name != "airflow-init":
            assert "healthcheck" in service, f"{name} needs a health check"
    assert [place.rpartition("/")[2] for place in compose["services"]["web"]["volumes"]] == ["inbox"]
    text = path.read_text()
    assignment = r'(?i)[\w-]*(?:password|secret|token|_key)[\w-]*"?\s*[:=]\s*"?([^",}\s]+)'
    for line in text.splitlines():
        for value in re.findall(assignment, line):
            assert value.startswith(("$", "/", "db+", "?")), f"a secret in the file: {line.strip()}"
    known = re.findall(r"(?<!\$)\$\{([A-Z_]+)", text)
    example = (REPOSITORY / ".env.example").read_text()
    assert not [name for name in known if f"{name}=" not in example], "every variable stands in .env.example"


def test_no_path_of_one_machine_is_committed():
    tracked = subprocess.run(
        ["git", "grep", "-n", "-I", "-E", r"/(home|Users|root)/[a-z]"],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
    ).stdout
    assert [line for line in tracked.splitlines() if "tests/rules/test_layout.py" not in line] == []
