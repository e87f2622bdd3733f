"""An Airflow connection as plain data, for code that runs without Airflow."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Connection:
    """Where a system is and how to log in to it. The password is not in its repr."""

    conn_id: str
    conn_type: str
    host: str = ""
    port: int | None = None
    login: str | None = None
    password: str | None = field(default=None, repr=False)
    schema: str | None = None
    extra: dict[str, Any] = field(default_factory=dict, repr=False)

    @property
    def url(self) -> str:
        """The base URL of an HTTP connection, without a slash at its end; https if none is named.

        Raises ValueError if the connection has no host.
        """
        if not self.host:
            raise ValueError(f"connection {self.conn_id!r} has no host; set it to the base URL")
        host = self.host if "://" in self.host else f"https://{self.host}"
        return host.rstrip("/") + (f":{self.port}" if self.port else "")

    def secret(self) -> str:
        """The password. Raises ValueError if the connection has none."""
        if not self.password:
            raise ValueError(f"connection {self.conn_id!r} has no password; it must hold the key or secret")
        return self.password

    @classmethod
    def from_env(cls, conn_id: str) -> Connection:
        """The connection in the environment variable `AIRFLOW_CONN_<CONN_ID>`, in JSON form.

        Raises LookupError if the variable is missing and ValueError if it is not a JSON object
        with a `conn_type`; neither repeats its content.
        """
        variable = f"AIRFLOW_CONN_{conn_id.upper()}"
        if not (text := os.environ.get(variable)):
            raise LookupError(
                f"connection {conn_id!r} is not set: the variable {variable} is missing or empty"
            )
        try:
            found = json.loads(text)
        except json.JSONDecodeError as error:
            raise ValueError(f"{variable} is not JSON (character {error.pos})") from None
        if not isinstance(found, dict) or not found.get("conn_type"):
            raise ValueError(f"{variable} must be a JSON object with a conn_type")
        extra = found.get("extra") or {}
        return cls(
            conn_id=conn_id,
            conn_type=str(found["conn_type"]),
            host=found.get("host") or "",
            port=int(found["port"]) if found.get("port") else None,
            login=found.get("login"),
            password=found.get("password"),
            schema=found.get("schema"),
            extra=json.loads(extra) if isinstance(extra, str) else extra,
        )
