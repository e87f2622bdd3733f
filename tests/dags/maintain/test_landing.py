"""Compaction, from the form to the landing zone."""

from __future__ import annotations

from datetime import UTC, datetime

from kreislauf import hooks
from kreislauf.landing.extract import write_pages
from kreislauf.landing.load import load
from kreislauf.landing.manifest import Manifest, Window
from kreislauf.landing.zone import LandingZone
from kreislauf.sources.base import line
from kreislauf.sources.streams import CRM_OWNERS


def land(zone: LandingZone, hour: int) -> None:
    moment = datetime(2026, 3, 10, hour, tzinfo=UTC)
    run = zone.begin(CRM_OWNERS.source, CRM_OWNERS.name, moment)
    owner = {"id": f"o{hour}", "updatedAt": "2026-03-01T00:00:00Z", "email": "o@example.com"}
    pages = write_pages(run.folder, [line(owner)])
    loaded = load(CRM_OWNERS, run.folder, pages, run.name, run.started)
    window = Window(None, moment)
    lineage = (run.name, CRM_OWNERS.source, CRM_OWNERS.name, window, moment, run.started, None, pages)
    run.commit(Manifest(*lineage, **vars(loaded), folder=run.folder))


def test_the_runs_of_a_day_get_one_part(circuit, run_dag):
    zone = hooks.landing()
    for hour in range(3):
        land(zone, hour)
    done = run_dag("maintain/landing", older_than=0)
    assert done["results"]["compact"] == {"crm owners": {"before": 3, "after": 1, "removed": 0}}
    assert len({manifest.table_path("crm_owners") for manifest in zone.manifests()}) == 1
    assert run_dag("maintain/landing")["results"]["compact"] == {}
