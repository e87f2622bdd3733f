"""What a build takes over from the published one is what it would have computed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from kreislauf.connections import Connection
from kreislauf.landing.zone import LandingZone
from kreislauf.warehouse.build import write_table
from kreislauf.warehouse.engines import engine_for
from kreislauf.warehouse.models import load_models
from scripts.bench import raw

AS_OF = datetime(2026, 1, 10, 6, tzinfo=UTC)
LATER = AS_OF + timedelta(hours=1)
SQL = Path(__file__).parents[4] / "include" / "sql"


@pytest.fixture(scope="module")
def models():
    loaded = load_models(SQL)
    wanted = {name for name, model in loaded.items() if model.layer in ("seeds", "staging")}
    touchpoints = (
        "site_touchpoints",
        "mail_touchpoints",
        "crm_touchpoints",
        "channel_touchpoints",
        "touchpoints",
    )
    keys = ("contact_keys", "visitor_keys", "messages")
    wanted |= {f"core.{name}" for name in (*keys, *touchpoints, "orders", "order_items")}
    return {name: model for name, model in loaded.items() if name in wanted}


@pytest.fixture
def zone(tmp_path):
    zone = LandingZone(tmp_path / "landing")
    raw.write(zone, 200, AS_OF)
    return zone


def build(folder, zone, models, as_of):
    """Every row of every table, and which tables were taken over with their files."""
    engine = engine_for(Connection("warehouse", "duckdb", str(folder)))
    before = engine.published()
    build = engine.begin_build(as_of)
    engine.load_raw(build, zone.manifests())
    for model in models.values():
        write_table(engine, build, model)
    engine.publish(build)
    rows = {name: sorted(map(repr, engine.query(f"select * from {name}"))) for name in models}
    kept = {
        name
        for name in models
        if before
        and engine._table(before.build_id, name)["parts"] == engine._table(build.build_id, name)["parts"]
    }
    return rows, kept


def test_a_build_that_takes_over_equals_one_that_does_not(tmp_path, zone, models):
    build(tmp_path / "one", zone, models, AS_OF)
    raw.write_new_events(zone, 200, AS_OF, LATER)
    found, kept = build(tmp_path / "one", zone, models, LATER)
    afresh, _ = build(tmp_path / "afresh", zone, models, LATER)
    assert found == afresh
    # New events change no order.
    assert {"staging.shop_orders", "staging.crm_contacts", "staging.shop_customers"} <= kept
    assert "staging.site_events" not in kept and "core.touchpoints" not in kept


def test_a_build_of_the_past_equals_one_that_knows_no_later_one(tmp_path, zone, models):
    build(tmp_path / "one", zone, models, AS_OF)
    found, _ = build(tmp_path / "one", zone, models, AS_OF - timedelta(days=60))
    afresh, _ = build(tmp_path / "afresh", zone, models, AS_OF - timedelta(days=60))
    assert found == afresh


def test_as_time_goes_by_alone_hardly_anything_is_computed(tmp_path, zone, models):
    build(tmp_path / "one", zone, models, AS_OF)
    second, kept = build(tmp_path / "one", zone, models, LATER)
    afresh, _ = build(tmp_path / "two", zone, models, LATER)
    assert second == afresh
    assert {name for name in models if name.startswith("staging.")} <= kept
