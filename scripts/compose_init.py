"""What `airflow-init` of docker-compose.yaml does once: databases, password, pools."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from scripts.airflow_api import POOLS
from scripts.local import write_json


def main() -> None:
    passwords = Path(os.environ["AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE"])
    passwords.parent.mkdir(parents=True, exist_ok=True)
    write_json(passwords, {"admin": os.environ["AIRFLOW_ADMIN_PASSWORD"]}, 0o600)
    _airflow("db", "migrate")
    _make_pools()
    from kreislauf.connections import Connection
    from kreislauf.ledger.store import Ledger

    Ledger.open(Connection.from_env("ledger")).migrate()


def _make_pools() -> None:
    """Create the pools that are missing; sizes that somebody has changed stay."""
    with tempfile.TemporaryDirectory() as folder:
        present, missing = Path(folder, "present.json"), Path(folder, "missing.json")
        _airflow("pools", "export", str(present))
        known = json.loads(present.read_text())
        new = {
            name: {"slots": slots, "description": "see docs/decisions.md"}
            for name, slots in POOLS.items()
            if name not in known
        }
        if new:
            missing.write_text(json.dumps(new))
            _airflow("pools", "import", str(missing))


def _airflow(*arguments: str) -> None:
    subprocess.run([sys.executable, "-m", "airflow", *arguments], check=True)


if __name__ == "__main__":
    main()
