"""The ingest DAGs: their shape, and whole runs against the sandbox."""

from __future__ import annotations

import pytest

from kreislauf.sources.streams import STREAMS

DAG_IDS = {
    "shop": "ingest_shop",
    "crm": "ingest_crm",
    "site": "ingest_engagement",
    "files": "ingest_files",
}
NOW = "2026-11-01T06:00:00Z"


def states(dag_run) -> dict[str, str]:
    return {instance.task_id: instance.state for instance in dag_run.get_task_instances()}


def events_of(asset_name: str) -> list[dict]:
    """The extras of the events of an asset, oldest first."""
    from airflow.models.asset import AssetEvent, AssetModel
    from airflow.utils.session import create_session
    from sqlalchemy import select

    with create_session() as session:
        found = select(AssetEvent.extra).join(AssetModel, AssetModel.id == AssetEvent.asset_id)
        return list(session.scalars(found.where(AssetModel.name == asset_name).order_by(AssetEvent.id)))


def test_the_shop_is_landed_once_and_announced(run, connect, sandbox, zone):
    connect()
    assert set(states(run("ingest_shop", as_of=NOW)).values()) == {"success"}
    landed = {manifest.stream: manifest for manifest in zone.manifests("shop")}
    assert landed.keys() == {stream.name for stream in STREAMS if stream.source == "shop"}
    # The world has reached this moment: what changed at it belongs to the next window.
    assert landed["products"].rows == sandbox.world["counts"]["shop_products"]
    assert events_of("raw.shop") == [{"as_of": NOW}]

    again = run("ingest_shop", as_of=NOW)
    assert set(states(again).values()) == {"success"}
    assert len(zone.manifests("shop")) == len(landed)
    assert events_of("raw.shop") == [{"as_of": NOW}] * 2


def test_the_crm_is_landed(run, connect, zone):
    connect()
    assert set(states(run("ingest_crm", as_of=NOW)).values()) == {"success"}
    assert {m.stream for m in zone.manifests("crm")} == {s.name for s in STREAMS if s.source == "crm"}
    assert all(m.quarantined == 0 and m.unknown_fields == [] for m in zone.manifests("crm"))


def test_engagement_is_landed_and_its_outcomes_recorded(run, connect, sandbox, zone):
    connect()
    found = states(run("ingest_engagement", as_of=NOW))
    assert set(found.values()) == {"success"}
    assert found.keys() >= {"pull_site_events", "pull_mail_events", "record_outcomes", "pull_messages"}
    assert [m.rows for m in zone.manifests("site")] != [0]
    assert list(zone.inbox("site_events").iterdir()) == []


def test_files_are_landed_and_one_that_lacks_a_column_is_named(run, connect, zone, capfd, caplog):
    connect()
    spend = zone.inbox("ad_spend")
    assert [path.suffix for path in spend.iterdir()] == [".csv"], "the sandbox has dropped one"
    bad = spend / "november.csv"
    bad.write_text("day;platform;campaign;currency\n")
    found = states(run("ingest_files", as_of=NOW))
    assert (found["pull_ad_spend"], found["announce"]) == ("failed", "upstream_failed")
    assert "november.csv: the column amount is missing" in caplog.text + "".join(capfd.readouterr())
    assert events_of("raw.files") == []

    bad.write_text("day;platform;campaign;currency;amount\n2026-10-31;google;tea_generic;EUR;12,50\n")
    assert set(states(run("ingest_files", as_of=NOW)).values()) == {"success"}
    [landed] = zone.manifests("files", "ad_spend")
    assert landed.rows > 100
    assert (landed.quarantined, landed.unknown_fields, landed.missing_fields) == (0, [], [])
    assert list(spend.iterdir()) == []
    assert events_of("raw.files") == [{"as_of": NOW}]


def test_a_wrong_key_fails_at_once_names_the_connection_and_announces_nothing(
    run, connect, zone, capfd, caplog
):
    connect(crm={"password": "hunter2"})
    before = events_of("raw.crm"), len(zone.manifests("crm"))
    found = states(run("ingest_crm", as_of="2026-11-02T06:00:00Z"))
    assert found["pull_contacts"] == "failed"
    assert found["announce"] == "upstream_failed"
    assert (events_of("raw.crm"), len(zone.manifests("crm"))) == before
    written = caplog.text + "".join(capfd.readouterr())
    assert "'crm'" in written
    assert "hunter2" not in written


@pytest.mark.parametrize("source", DAG_IDS)
def test_every_stream_has_a_task(bag, source):
    tasks = bag.get_dag(DAG_IDS[source]).task_ids
    sources = {"site", "mail", "ledger"} if source == "site" else {source}
    expected = {
        f"pull_{stream.source}_events" if stream.name == "events" else f"pull_{stream.name}"
        for stream in STREAMS
        if stream.source in sources
    }
    assert set(tasks) - {"announce", "record_outcomes"} == expected
