"""Files and folders of the landing zone, on a disk or in an object store."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Generator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO


@contextmanager
def new_file(path: Any) -> Generator[BinaryIO]:
    """A file that appears under its name only when it is complete, and is then on the disk."""
    if not isinstance(path, Path):
        with path.open("wb") as file:
            yield file
        return
    draft = path.with_name(path.name + ".tmp")
    try:
        with draft.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise


def remove_folder(folder: Any) -> None:
    """Remove a folder and what is in it, if it is there."""
    if isinstance(folder, Path):
        shutil.rmtree(folder, ignore_errors=True)
    elif folder.exists():
        folder.fs.rm(folder.path, recursive=True)


def listed(folder: Any) -> list[Any]:
    """What is in a folder; nothing if it is not there, or not any more."""
    try:
        return list(folder.iterdir())
    except (FileNotFoundError, NotADirectoryError):  # object stores know no empty folder
        return []


def folders(parent: Any, prefix: str) -> list[Any]:
    """The subfolders whose names begin so, last name first."""
    found = [path for path in listed(parent) if path.name.startswith(prefix)]
    return sorted(found, key=lambda path: path.name, reverse=True)


def is_older(path: Any, moment: datetime) -> bool:
    """Whether a file was last written before a moment; no if it is not there any more."""
    try:
        if isinstance(path, Path):
            return datetime.fromtimestamp(path.stat().st_mtime, UTC) < moment
        return path.fs.modified(path.path).astimezone(UTC) < moment
    except FileNotFoundError:
        return False


def digest(path: Any) -> str:
    """The SHA-256 of a file, in hex."""
    with path.open("rb") as file:
        found = hashlib.sha256()
        while block := file.read(1 << 20):
            found.update(block)
    return found.hexdigest()
