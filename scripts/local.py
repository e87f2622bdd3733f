"""The local installation that `make run`, `make up` and the end-to-end test share.

Everything it keeps lies under one folder (KREISLAUF_HOME, default `var/`): the landing zone, the
warehouse, the ledger, the sandbox's world and Airflow's own files. Deleting it starts afresh.
"""

from __future__ import annotations

import json
import os
import secrets
import socket
import sys
from dataclasses import dataclass
from pathlib import Path

from cryptography.fernet import Fernet

from kreislauf.places import REPOSITORY

SMS_ACCOUNT = "AC" + 32 * "0"
SMS_NUMBER = "+493023125000"
"""One of the numbers kept free for films."""


@dataclass(frozen=True)
class Local:
    """Paths, ports and secrets of one local installation."""

    home: Path
    ports: dict[str, int]
    secrets: dict[str, str]

    @classmethod
    def at(cls, home: Path) -> Local:
        """Open the installation in `home`; the first call chooses free ports and new secrets."""
        home.mkdir(parents=True, exist_ok=True)
        secrets_file = home / "secrets.json"
        known = json.loads(secrets_file.read_text()) if secrets_file.exists() else {}
        values = _new_secrets() | known
        if values != known:
            write_json(secrets_file, values, mode=0o600)
        ports_file = home / "ports.json"
        ports = json.loads(ports_file.read_text()) if ports_file.exists() else {}
        if not ports:
            wished = {"airflow": 8080, "sandbox": 8081, "web": 8082}
            ports = _free_ports(wished)
            write_json(ports_file, ports)
        return cls(home, ports, values)

    def on_free_ports(self) -> Local:
        """The same with other ports where another program has taken ours. Call it when nothing runs."""
        ports = _free_ports(self.ports)
        if ports != self.ports:
            write_json(self.home / "ports.json", ports)
        return Local(self.home, ports, self.secrets)

    @property
    def landing(self) -> Path:
        return self.home / "landing"

    @property
    def logs(self) -> Path:
        return self.home / "logs"

    @property
    def airflow_home(self) -> Path:
        return self.home / "airflow"

    def url(self, service: str) -> str:
        return f"http://127.0.0.1:{self.ports[service]}"

    @property
    def airflow_health(self) -> str:
        """Where Airflow says how it is."""
        return f"{self.url('airflow')}/api/v2/monitor/health"

    def airflow_database(self, patience: int) -> str:
        """SQLAlchemy's URL of Airflow's database, with the seconds to wait while another writes to it."""
        return f"sqlite:///{self.airflow_home / 'airflow.db'}?timeout={patience}"

    def environment(self) -> dict[str, str]:
        """The environment every service is started with: Airflow's settings and the connections."""
        sandbox = self.url("sandbox")
        shop = {"shop_url": f"{sandbox}/shop"}
        connections = {
            "warehouse": {"conn_type": "duckdb", "host": str(self.home / "warehouse")},
            "ledger": {"conn_type": "sqlite", "host": str(self.home / "ledger.db")},
            "shop": {
                "conn_type": "http",
                "host": f"{sandbox}/shop",
                "login": "kreislauf",
                "password": self.secrets["shop"],
            },
            "crm": {
                "conn_type": "http",
                "host": f"{sandbox}/crm",
                "password": self.secrets["crm"],
                "extra": shop,
            },
            "sendgrid": {
                "conn_type": "http",
                "host": f"{sandbox}/mail",
                "password": self.secrets["mail"],
                "extra": {
                    "from_email": "hello@shop.example",
                    "from_name": "Sandbox Shop",
                    "postal_address": "Sandbox Shop, Musterweg 1, 10115 Berlin",
                    **shop,
                },
            },
            "sms": {
                "conn_type": "http",
                "host": f"{sandbox}/sms",
                "login": SMS_ACCOUNT,
                "password": self.secrets["sms"],
                "extra": {"from": SMS_NUMBER, "from_name": "Sandbox Shop", **shop},
            },
            "push": {
                "conn_type": "http",
                "password": self.secrets["vapid"],
                "extra": {"subject": "mailto:hello@shop.example", "services": ["127.0.0.1"], **shop},
            },
            "webhook": {
                "conn_type": "http",
                "host": f"{sandbox}/webhook/receive",
                "password": self.secrets["webhook"],
                "extra": shop,
            },
            "web": {
                "conn_type": "http",
                "host": self.url("web"),
                "password": self.secrets["web"],
                "extra": {"origins": [sandbox], **shop},
            },
        }
        airflow = {
            "AIRFLOW_HOME": str(self.airflow_home),
            "AIRFLOW__CORE__DAGS_FOLDER": str(REPOSITORY / "dags"),
            "AIRFLOW__CORE__PLUGINS_FOLDER": str(REPOSITORY / "plugins"),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__CORE__LAZY_LOAD_PLUGINS": "False",
            "AIRFLOW__CORE__MAX_TEMPLATED_FIELD_LENGTH": "65536",
            "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
            "AIRFLOW__CORE__PARALLELISM": str(max(4, os.cpu_count() or 1)),
            "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
            "AIRFLOW__CORE__FERNET_KEY": self.secrets["fernet"],
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": "admin:admin",
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(self.airflow_home / "passwords.json"),
            "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{self.url('airflow')}/execution/",
            # Many tasks write at once; SQLite lets one at a time, and the others wait.
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": self.airflow_database(patience=60),
            "AIRFLOW__API__HOST": "127.0.0.1",
            "AIRFLOW__API__PORT": str(self.ports["airflow"]),
            "AIRFLOW__API__BASE_URL": self.url("airflow"),
            "AIRFLOW__API__SECRET_KEY": self.secrets["api_secret"],
            "AIRFLOW__API__WORKERS": "1",
            "AIRFLOW__API_AUTH__JWT_SECRET": self.secrets["jwt_secret"],
            "AIRFLOW__DAG_PROCESSOR__DAG_VERSION_INFLATION_CHECK_LEVEL": "error",
            # While SQLite is busy, it is noted minutes late that a DAG was read: it has not gone.
            "AIRFLOW__DAG_PROCESSOR__STALE_DAG_THRESHOLD": "900",
            # Local runs are watched: look often, give up on a dead task soon.
            "AIRFLOW__SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": "0.2",
            "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "60",
            "AIRFLOW__SCHEDULER__ORPHANED_TASKS_CHECK_INTERVAL": "20",
            "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "False",
            "_AIRFLOW__SKIP_DATABASE_EXECUTOR_COMPATIBILITY_CHECK": "1",
        }
        return {
            **os.environ,
            **airflow,
            **{f"AIRFLOW_CONN_{name.upper()}": json.dumps(value) for name, value in connections.items()},
            "KREISLAUF_HOME": str(self.home),
            "KREISLAUF_LANDING": f"file://{self.landing}",
            "GX_ANALYTICS_ENABLED": "False",
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}",
            "PYTHONPATH": f"{REPOSITORY / 'plugins'}{os.pathsep}{REPOSITORY}",
            "PYTHONUNBUFFERED": "1",
            # Hundreds of processes import the same modules: let the first one keep them compiled.
            "PYTHONDONTWRITEBYTECODE": "",
        }


def _new_secrets() -> dict[str, str]:
    names = ("airflow_password", "api_secret", "jwt_secret", "shop", "crm", "mail", "sms", "webhook", "web")
    # In hex: on a command line a token that begins with a dash would be an option.
    values = {name: secrets.token_hex(24) for name in names}
    # A private key for web push is 32 random bytes, base64url (RFC 8292).
    return values | {"fernet": Fernet.generate_key().decode(), "vapid": secrets.token_urlsafe(32)}


def write_json(path: Path, value: object, mode: int = 0o644) -> None:
    """Write JSON so that a reader, or a killed writer, never leaves half a file."""
    temporary = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    with os.fdopen(descriptor, "w") as file:
        json.dump(value, file, indent=2, default=str)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)


def _free_ports(wished: dict[str, int]) -> dict[str, int]:
    """The wished ports where free, others where not; all are held until every one is chosen."""
    held: list[socket.socket] = []
    ports: dict[str, int] = {}
    try:
        for service, port in wished.items():
            listener = socket.socket()
            held.append(listener)
            # As servers do: a port whose last connections still linger is free.
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                listener.bind(("127.0.0.1", port))
            except OSError:
                listener.bind(("127.0.0.1", 0))
            ports[service] = listener.getsockname()[1]
    finally:
        for listener in held:
            listener.close()
    return ports
