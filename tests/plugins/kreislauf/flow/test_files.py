"""Flows are read from their files without Airflow."""

from __future__ import annotations

import subprocess
import sys

import pytest

from kreislauf.flow.files import FOLDER, find, read, read_all
from kreislauf.flow.model import FlowError


def test_every_file_is_a_flow():
    flows = read_all()
    assert {flow.path for flow in flows.values()} == set(FOLDER.glob("*.py"))
    assert all(flow.steps and flow.doc and name == f"flow_{flow.short}" for name, flow in flows.items())


def test_it_does_not_need_airflow():
    code = (
        "import sys; from kreislauf.flow.files import find; find('welcome'); print('airflow' in sys.modules)"
    )
    env = {"PYTHONPATH": "plugins", "PATH": ""}
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=env)
    assert ran.stdout.strip() == "False"


def test_by_either_name():
    assert find("welcome").name == find("flow_welcome").name == "flow_welcome"
    with pytest.raises(LookupError, match=r"there is no flow 'hello'; there are: .*welcome"):
        find("hello")


def test_a_file_without_a_flow(tmp_path):
    folder = tmp_path / "dags" / "flow"
    folder.mkdir(parents=True)
    (folder / "empty.py").write_text('"""Nothing."""\n')
    with pytest.raises(FlowError, match=r"empty\.py declares no flow"):
        read(folder / "empty.py")
