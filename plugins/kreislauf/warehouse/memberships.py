"""The record of memberships: what a build found each contact to be in, landed when it is published.

A build knows only its own moment, so who entered or left a segment is kept as an extraction of the
warehouse's own: a ledger of changes, whose sum up to a moment is what was found at it. Every
published moment has its manifest, also one at which nothing changed: that is known too.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC
from typing import TYPE_CHECKING, Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from kreislauf.landing.extract import write_pages
from kreislauf.landing.files import digest, new_file
from kreislauf.landing.load import arrow_schema
from kreislauf.landing.manifest import Manifest, Window, iso
from kreislauf.landing.zone import LandingZone
from kreislauf.sources.streams import MEMBERSHIP_CHANGES
from kreislauf.warehouse.engines.base import BuildInfo, Engine, WarehouseError

if TYPE_CHECKING:
    from kreislauf.landing.zone import Run

TABLE = "membership_changes"
CHANGES = "select record_id, kind, name, as_of, change from reports.membership_changes"
LATEST = "select max(as_of) as latest from reports.membership_changes"
AS_JSON = """select cast(to_json({record_id: record_id, kind: kind, name: name,
    as_of: strftime(as_of, '%Y-%m-%dT%H:%M:%S.%fZ'), change: change}) as varchar) from changes"""
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
        pages, tables = _write(run, engine, build)
        manifest = Manifest(
            run=run.name,
            source=stream.source,
            stream=stream.name,
            window=Window(None, build.as_of),
            as_of=build.as_of,
            extracted_at=run.started,
            api_version=None,
            pages=pages,
            tables=tables,
            quarantined=0,
            unknown_fields=[],
            missing_fields=[],
            cursor=build.build_id,
            folder=run.folder,
        )
        run.commit(manifest)
    except BaseException:
        run.discard()
        raise
    return manifest


def _write(run: Run, engine: Engine, build: BuildInfo) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """The pages and the typed part, for the manifest. The first build's changes are millions: they are
    written side by side, a batch at a time, and not read from the pages again as a vendor's are.
    """
    path = run.folder / f"{TABLE}.parquet"
    [found] = engine.query(LATEST, build_id=build.build_id)
    schema = arrow_schema(MEMBERSHIP_CHANGES.tables[TABLE])
    with new_file(path) as file, pq.ParquetWriter(file, schema, compression="zstd") as part:
        pages = write_pages(run.folder, _lines(engine, build, run, part))
    rows = sum(page["rows"] for page in pages)
    if rows == 0:
        path.unlink()
        return pages, {}
    latest = iso(found["latest"].replace(tzinfo=UTC))
    return pages, {TABLE: {"file": path.name, "rows": rows, "sha256": digest(path), "latest": latest}}


def _lines(engine: Engine, build: BuildInfo, run: Run, part: pq.ParquetWriter) -> Iterator[bytes]:
    """The changes as records; each batch of them is in the part before its first is given."""
    written = 0
    with duckdb.connect() as database:
        for batch in engine.batches(CHANGES, build_id=build.build_id):
            changes = pa.Table.from_batches([batch])
            lineage = {
                "_run": pa.array([run.name] * len(changes), pa.string()),
                "_line": pa.array(range(written + 1, written + len(changes) + 1), pa.int64()),
                "_extracted_at": pa.array([run.started.astimezone(UTC).replace(tzinfo=None)] * len(changes)),
            }
            columns = [*changes.columns, *lineage.values()]
            part.write_table(pa.table(columns, [*changes.column_names, *lineage]).cast(part.schema))
            database.register("changes", changes)
            for text in database.sql(AS_JSON).to_arrow_table().column(0).to_pylist():
                yield text.encode()
            written += len(changes)
