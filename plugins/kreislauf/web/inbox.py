"""Writing into an inbox folder of the landing zone: a file is there as a whole or not at all."""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any


def append(folder: Any, records: Iterable[dict[str, Any]]) -> str:
    """Write records as one NDJSON file and return its name. When this returns, they are on disk.

    `folder` is a `pathlib.Path` or a `UPath`; on an object store a file appears when it is closed.
    """
    name = f"{datetime.now(UTC):%Y%m%dT%H%M%S%f}-{secrets.token_hex(4)}.ndjson"
    lines = "".join(json.dumps(record, separators=(",", ":")) + "\n" for record in records).encode()
    if not isinstance(folder, Path):
        (folder / name).write_bytes(lines)
        return name
    folder.mkdir(parents=True, exist_ok=True)
    part = folder / f".{name}.part"
    try:
        with part.open("wb") as file:
            file.write(lines)
            file.flush()
            os.fsync(file.fileno())
        part.rename(folder / name)
    except OSError:
        part.unlink(missing_ok=True)
        raise
    _sync(folder)
    return name


def _sync(folder: Path) -> None:
    """Make the new name survive a power cut too."""
    opened = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)
