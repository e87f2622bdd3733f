"""The index of a stream: the runs that are compacted, and where their rows are.

    <root>/<source>/<stream>/compacted/00000017/index.json                    these runs' manifests
                                      /<moment>-<tail>/<table>-00000.parquet  merged parts

Each index is a whole one, and its number the one after the index it was made from. Who commits a number
that is there already has lost: something else changed the stream meanwhile. Readers take the highest number.
"""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from kreislauf.landing.files import listed, new_file, remove_folder
from kreislauf.landing.manifest import COMPACTED, Manifest, iso, parse

INDEX_NAME = "index.json"
_BEGAN = "%Y%m%dT%H%M%S%fZ"


class IndexMoved(Exception):
    """The stream was compacted or replayed since the index was read. Nothing was committed."""


@dataclass(frozen=True)
class Index:
    """What is compacted of the stream in a folder: manifests by run. Number 0: nothing ever was."""

    folder: Any
    number: int
    committed_at: datetime
    manifests: dict[str, Manifest]

    def commit(self, manifests: Iterable[Manifest], now: datetime) -> Index:
        """Make these manifests the next index.

        Raises IndexMoved when this index is not the newest one any more.
        """
        listed = sorted(manifests, key=lambda manifest: manifest.run)
        text = json.dumps(
            {
                "committed_at": iso(now),
                "manifests": [
                    {"folder": f"{m.folder.parent.name}/{m.folder.name}"} | m.to_document() for m in listed
                ],
            }
        )
        target = self.folder / COMPACTED / f"{self.number + 1:08}"
        if newest(self.folder) != self.number or not _create(target, text.encode()):
            raise IndexMoved(f"{self.folder / COMPACTED} has a newer index than number {self.number}")
        return Index(self.folder, self.number + 1, now, {manifest.run: manifest for manifest in listed})


def read_index(folder: Any) -> Index:
    """The newest index of the stream in a folder. Raises ValueError, naming the file, if it is damaged."""
    return _read(folder, newest(folder))


def read_indexes(folder: Any) -> list[Index]:
    """All indexes that are still there, oldest first, after the empty one that all streams begin with."""
    return [_read(folder, number) for number in [0, *_numbers(folder)]]


def work_folder(folder: Any) -> Any:
    """A new place for work on the stream in a folder; it need not exist yet."""
    return folder / COMPACTED / f"{datetime.now(UTC):{_BEGAN}}-{secrets.token_hex(4)}"


def began_at(work: Any) -> datetime | None:
    """When the work in a folder began; None if it is no folder for work."""
    try:
        return datetime.strptime(work.name.split("-")[0], _BEGAN).replace(tzinfo=UTC)
    except ValueError:
        return None


def newest(folder: Any) -> int:
    """The number of the newest index."""
    return max(_numbers(folder), default=0)


def _numbers(folder: Any) -> list[int]:
    names = [path.name for path in listed(folder / COMPACTED)]
    return sorted(int(name) for name in names if re.fullmatch(r"\d{8}", name))


def _read(folder: Any, number: int) -> Index:
    if number == 0:
        return Index(folder, 0, datetime.min.replace(tzinfo=UTC), {})
    path = folder / COMPACTED / f"{number:08}" / INDEX_NAME
    try:
        found = json.loads(path.read_text())
        manifests = [
            Manifest.from_document(document, folder / document.pop("folder"))
            for document in found["manifests"]
        ]
        return Index(folder, number, parse(found["committed_at"]), {m.run: m for m in manifests})
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(
            f"{path} is not an index: {error!r}; restore it, or remove {folder / COMPACTED} "
            "and replay the stream"
        ) from error


def _create(target: Any, content: bytes) -> bool:
    """Write an index, all at once and only if there is none; whether there was none.

    In a folder by renaming, which fails onto a folder with something in it. Object stores know writing
    only what is not there; one that does not has a moment between looking and writing.
    """
    if not isinstance(target, Path):
        path = target / INDEX_NAME
        if path.exists():
            return False
        try:
            path.fs.pipe_file(path.path, content, mode="create")
        except FileExistsError:
            return False
        return True
    work = work_folder(target.parent.parent)
    work.mkdir(parents=True)
    try:
        with new_file(work / INDEX_NAME) as file:
            file.write(content)
        work.rename(target)
    except OSError:
        if target.exists():
            return False
        raise
    finally:
        remove_folder(work)
    return True
