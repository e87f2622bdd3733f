"""What `airflow-init` of docker-compose.yaml does once: databases, password, pools."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from scripts.airflow_api import POOLS
from scripts.local import write_json


def main() -> None:
    passwords = Path(os.environ["AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE"])
    passwords.parent.mkdir(parents=True, exist_ok=True)
    write_json(passwords, {"admin": os.environ["AIRFLOW_ADMIN_PASSWORD"]}, 0o600)
    _airflow("db", "migrate")
    for name, slots in POOLS.items():
        _airflow("pools", "set", name, str(slots), "see docs/decisions.md")
    from kreislauf.connections import Connection
    from kreislauf.ledger.store import Ledger

    Ledger.open(Connection.from_env("ledger")).migrate()


def _airflow(*arguments: str) -> None:
    subprocess.run([sys.executable, "-m", "airflow", *arguments], check=True)


if __name__ == "__main__":
    main()
