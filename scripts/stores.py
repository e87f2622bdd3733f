"""The warehouse and the ledger for commands: of the environment's connections, else those of `make run`."""

from __future__ import annotations

import os
from argparse import ArgumentTypeError
from datetime import UTC, datetime

from kreislauf.connections import Connection
from kreislauf.delivery.transport import From
from kreislauf.ledger.store import Ledger
from kreislauf.places import home
from kreislauf.warehouse.engines import Engine, engine_for
from scripts.local import Local


def connection(name: str) -> Connection:
    """Raises LookupError that says what to do when there is none."""
    variable = f"AIRFLOW_CONN_{name.upper()}"
    if not os.environ.get(variable):
        if not is_installed():
            raise LookupError(f"nothing is here yet: `make run` sets it up, or set {variable}")
        os.environ[variable] = Local.at(home()).environment()[variable]
    return Connection.from_env(name)


def is_installed() -> bool:
    """Whether `make run` has set up a local installation."""
    return (home() / "secrets.json").exists()


def warehouse() -> Engine:
    """Raises LookupError."""
    return engine_for(connection("warehouse"))


def warehouse_if_any() -> Engine | None:
    """The warehouse, or None where there is no connection and `make run` has set nothing up."""
    is_there = os.environ.get("AIRFLOW_CONN_WAREHOUSE") or is_installed()
    return warehouse() if is_there else None


def ledger() -> Ledger:
    """Raises LookupError."""
    return Ledger.open(connection("ledger"))


def sender() -> From:
    """Who writes. Raises LookupError."""
    return From.of(connection("sendgrid"))


def moment(text: str) -> datetime:
    """Reads an ISO moment of a command line; without a zone it is UTC. Raises ArgumentTypeError."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise ArgumentTypeError(f"{text!r} is no moment; write it as 2026-12-24T09:00:00Z") from None
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found
