"""Derive the typed parts again from the pages as received.

For a new or changed column: correct streams.py, replay, build. The pages are the record; replaying
them with the same declarations gives the same rows, byte for byte. Safe to repeat after a crash.
"""

from __future__ import annotations

import argparse
import logging
import sys
from dataclasses import replace

from upath import UPath

from kreislauf.landing.load import digest, load
from kreislauf.landing.manifest import Manifest
from kreislauf.landing.zone import LandingZone, write_manifest
from kreislauf.sources.streams import STREAMS, Stream

log = logging.getLogger(__name__)


class DamagedPage(Exception):
    """A page is not the file that was received."""


def replay(zone: LandingZone, source: str | None = None, stream: str | None = None) -> list[Manifest]:
    """Replay all committed runs, of one source or stream if named; return their new manifests.

    Raises DamagedPage if a page does not have the digest it was committed with; the run keeps its
    old parts then. Runs of streams that are no longer declared are left alone.
    """
    declared = {(known.source, known.name): known for known in STREAMS}
    found = zone.manifests(source, stream)
    return [
        replay_run(manifest, declared[manifest.source, manifest.stream])
        for manifest in found
        if (manifest.source, manifest.stream) in declared
    ]


def replay_run(manifest: Manifest, stream: Stream) -> Manifest:
    """Replay one run: new parts in place of the old ones, then its manifest."""
    for page in manifest.pages:
        path = manifest.folder / page["file"]
        if digest(path) != page["sha256"]:
            raise DamagedPage(f"{path} is not the file that was landed; restore it from a backup")
    loaded = load(stream, manifest.folder, manifest.pages, manifest.run, manifest.extracted_at)
    renewed = replace(
        manifest,
        tables=loaded.tables,
        quarantined=loaded.quarantined,
        unknown_fields=loaded.unknown_fields,
        missing_fields=loaded.missing_fields,
    )
    write_manifest(renewed)
    for gone in manifest.tables.keys() - renewed.tables.keys():
        (manifest.folder / manifest.tables[gone]["file"]).unlink(missing_ok=True)
    log.info("%s %s, run %s: %s records", manifest.source, manifest.stream, manifest.run, manifest.rows)
    return renewed


def main(arguments: list[str]) -> None:
    """The command line: which zone, and what of it."""
    parser = argparse.ArgumentParser(prog="python -m kreislauf.landing.replay", description=__doc__)
    parser.add_argument("zone", help="the landing zone, such as file:///srv/kreislauf/landing")
    parser.add_argument("source", nargs="?", help="only this source, such as shop")
    parser.add_argument("stream", nargs="?", help="only this stream of it, such as orders")
    given = parser.parse_args(arguments)
    replay(LandingZone(UPath(given.zone)), given.source, given.stream)


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    main(sys.argv[1:])
