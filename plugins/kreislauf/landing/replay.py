"""Derive the typed parts again from the pages as received.

For a new or changed column: correct streams.py, replay, build. The pages are the record; replaying
them with the same declarations gives the same rows, byte for byte. Safe to repeat after a crash.

A run that was compacted stands by itself again afterwards, and so do those it shared a part with, which
are replayed with it: in one commit, before which readers see what they saw. The next compaction merges
them anew.
"""

from __future__ import annotations

import argparse
import logging
import sys
from dataclasses import replace
from datetime import UTC, datetime

from upath import UPath

from kreislauf.landing.files import digest
from kreislauf.landing.index import IndexMoved, read_index
from kreislauf.landing.load import load
from kreislauf.landing.manifest import RECORDED, Manifest
from kreislauf.landing.zone import LandingZone, write_manifest
from kreislauf.sources.streams import STREAMS, Stream

log = logging.getLogger(__name__)


class DamagedPage(Exception):
    """A page is not the file that was received."""


def replay(
    zone: LandingZone, source: str | None = None, stream: str | None = None, run: str | None = None
) -> list[Manifest]:
    """Replay all committed runs, of one source or stream, or one run, if named; return their new manifests.

    Raises DamagedPage if a page does not have the digest it was committed with; the run keeps its
    old parts then, and so do compacted ones. Runs of streams that are no longer declared are left alone.
    """
    declared = {(known.source, known.name): known for known in STREAMS}
    return [
        manifest
        for names in zone.streams(source, stream)
        if names in declared
        for manifest in replay_stream(zone, declared[names], run)
    ]


def replay_stream(zone: LandingZone, stream: Stream, run: str | None = None) -> list[Manifest]:
    """Replay the committed runs of a stream, or one with those it shares parts with."""
    while True:
        index = read_index(zone.folder(stream.source, stream.name))
        chosen = _chosen(zone.manifests_with(index), run)
        if not chosen:
            return []
        renewed = [replay_run(manifest, stream) for manifest in chosen]
        rest = index.manifests.keys() - {manifest.run for manifest in chosen}
        try:
            # Also when none of them was compacted: a compaction that has read the old parts must not commit.
            index.commit([index.manifests[name] for name in rest], datetime.now(UTC))
            for manifest in renewed:  # what comes back from quarantine is news to the ledger
                (manifest.folder / RECORDED).unlink(missing_ok=True)
            return renewed
        except IndexMoved:
            log.info("%s %s was compacted meanwhile: once more", stream.source, stream.name)


def replay_run(manifest: Manifest, stream: Stream) -> Manifest:
    """Replay one run: new parts in place of the old ones, then its manifest. Of a run that was compacted
    nobody sees them until `replay_stream` has committed.
    """
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


def _chosen(manifests: list[Manifest], run: str | None) -> list[Manifest]:
    """All, or those that hang together with a run by common parts."""
    if run is None:
        return manifests
    runs, found = {run}, 0
    while len(runs) > found:
        found = len(runs)
        shared = {m.table_path(name) for m in manifests if m.run in runs for name in m.tables}
        runs |= {m.run for m in manifests if any(m.table_path(name) in shared for name in m.tables)}
    return [manifest for manifest in manifests if manifest.run in runs]


def main(arguments: list[str]) -> None:
    """The command line: which zone, and what of it."""
    parser = argparse.ArgumentParser(prog="python -m kreislauf.landing.replay", description=__doc__)
    parser.add_argument("zone", help="the landing zone, such as file:///srv/kreislauf/landing")
    parser.add_argument("source", nargs="?", help="only this source, such as shop")
    parser.add_argument("stream", nargs="?", help="only this stream of it, such as orders")
    parser.add_argument("run", nargs="?", help="only this run of it, and those it shares parts with")
    given = parser.parse_args(arguments)
    replay(LandingZone(UPath(given.zone)), given.source, given.stream, given.run)


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    main(sys.argv[1:])
