"""The record of memberships: what a build found each contact to be in, landed when it is published.

A build knows only its own moment, so who entered or left a segment is kept as an extraction of the
warehouse's own: a ledger of changes, whose sum up to a moment is what was found at it. Every
published moment has its manifest, also one at which nothing changed: that is known too.
"""

from __future__ import annotations

from collections.abc import Iterator

from kreislauf.landing.extract import write_pages
from kreislauf.landing.load import load
from kreislauf.landing.manifest import Manifest, Window
from kreislauf.landing.zone import LandingZone
from kreislauf.sources.base import line
from kreislauf.sources.streams import MEMBERSHIP_CHANGES
from kreislauf.warehouse.engines.base import BuildInfo, Engine, WarehouseError

CHANGES = "select record_id, kind, name, as_of, change from reports.membership_changes"
KNOWN = "select run from raw.manifests where source = :source and stream = :stream"


def record_memberships(zone: LandingZone, engine: Engine, build: BuildInfo) -> Manifest:
    """Land `reports.membership_changes` of a build; the manifest of it, also if it was landed before.

    Raises WarehouseError when something was recorded since the build began: its changes are to what
    it knew then.
    """
    stream = MEMBERSHIP_CHANGES
    names = {"source": stream.source, "stream": stream.name}
    known = {row["run"] for row in engine.query(KNOWN, names, build.build_id)}
    unknown = [manifest for manifest in zone.manifests(**names) if manifest.run not in known]
    for manifest in unknown:
        if manifest.cursor == build.build_id:
            return manifest
    if unknown:
        raise WarehouseError(
            f"build {build.build_id} began before build {unknown[-1].cursor} recorded its memberships; "
            "trigger the DAG build_warehouse again"
        )
    run = zone.begin(stream.source, stream.name, build.as_of)
    try:
        pages = write_pages(run.folder, _lines(engine, build))
        loaded = load(stream, run.folder, pages, run.name, run.started)
        manifest = Manifest(
            run=run.name,
            source=stream.source,
            stream=stream.name,
            window=Window(None, build.as_of),
            as_of=build.as_of,
            extracted_at=run.started,
            api_version=None,
            pages=pages,
            tables=loaded.tables,
            quarantined=loaded.quarantined,
            unknown_fields=loaded.unknown_fields,
            missing_fields=loaded.missing_fields,
            cursor=build.build_id,
            folder=run.folder,
        )
        run.commit(manifest)
    except BaseException:
        run.discard()
        raise
    return manifest


def _lines(engine: Engine, build: BuildInfo) -> Iterator[bytes]:
    for batch in engine.batches(CHANGES, build_id=build.build_id):
        for row in batch.to_pylist():
            yield line(row | {"as_of": f"{row['as_of'].isoformat()}Z"})
