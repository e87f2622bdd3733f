"""`make why` and `make preview` against an installation, and before there is one."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from kreislauf.connections import Connection
from kreislauf.flow.files import find
from kreislauf.flow.testing import publish
from kreislauf.ledger.store import Ledger
from kreislauf.warehouse.engines import engine_for
from scripts import preview, why

NOON = datetime(2026, 3, 10, 12, tzinfo=UTC)
FLOW = find("welcome")
FIRST, SECOND, *_ = [step.name for step in FLOW.steps]
SENDER = {"from_email": "hello@shop.example", "from_name": "Shop", "postal_address": "Weg 1, 10115 Berlin"}


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("KREISLAUF_HOME", str(tmp_path))
    for name in ("WAREHOUSE", "LEDGER", "SENDGRID"):
        monkeypatch.delenv(f"AIRFLOW_CONN_{name}", raising=False)
    return tmp_path


@pytest.fixture
def installed(home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Ada has subscribed five minutes before the build; Bob has not."""
    connections = {
        "warehouse": {"conn_type": "duckdb", "host": str(home / "warehouse")},
        "ledger": {"conn_type": "sqlite", "host": str(home / "ledger.db")},
        "sendgrid": {"conn_type": "file", "host": str(home / "mails"), "extra": SENDER},
    }
    for name, connection in connections.items():
        monkeypatch.setenv(f"AIRFLOW_CONN_{name.upper()}", json.dumps(connection))
    Ledger.open(Connection.from_env("ledger")).migrate()
    ada = {"contact_id": "shop-1", "email": "ada@example.org", "language": "en", "email_consent": "granted"}
    started = {"contact_id": "shop-1", "occurrence_id": "first", "occurred_at": NOON - timedelta(minutes=5)}
    fresh = [
        {"source": name, "stream": "all", "fresh_until": NOON} for name in ("shop", "mail", "crm", "site")
    ]
    rows = {
        "core.contacts": [ada | {"first_name": "Ada"}, {"contact_id": "shop-2", "email": "bob@example.org"}],
        "core.source_freshness": fresh,
        f"triggers.{FLOW.flow.trigger}": [started],
    }
    publish(engine_for(Connection.from_env("warehouse")), NOON, rows)
    return home


def test_a_preview_is_for_your_eyes_only_and_shows_what_she_would_read(installed, capsys):
    assert preview.main(["welcome"]) == 0
    said = capsys.readouterr().out
    assert "flow_welcome as of 2026-03-10 12:00 UTC" in said
    folder = installed / "preview" / "welcome"
    assert f"{folder}/index.html" in said
    assert {path.stat().st_mode & 0o777 for path in folder.iterdir()} == {0o600}
    assert folder.stat().st_mode & 0o777 == 0o700
    assert "Ada" in (folder / "1.txt").read_text() and "Ada" not in said
    index = (folder / "index.html").read_text()
    assert f"{FIRST} (email, en)" in index and "shop-1, first, 2026-03-10 12:00 UTC" in index
    # Steps that nobody would get now are shown by their own example.
    assert f"{SECOND} (email, de)" in index and "the template&#x27;s own example" in index


def test_a_preview_of_another_moment_and_of_one_person(installed, capsys):
    assert preview.main(["flow_welcome", "--as-of", "2026-03-10T10:00:00Z"]) == 0
    assert "asked  due" in capsys.readouterr().out
    assert preview.main(["welcome", "--contact", "ada@example.org"]) == 0
    said = capsys.readouterr().out
    assert f"shop-1:\n  first  {FIRST}: planned." in said and "example.org" not in said
    assert len(list((installed / "preview" / "welcome").glob("*.html"))) == 2  # one mail and the index
    assert preview.main(["welcome", "--contact", "shop-2"]) == 0
    assert "no occurrence of the trigger; `make why` says more" in capsys.readouterr().out


def test_a_preview_before_the_first_run_shows_the_templates_examples(home, capsys):
    assert preview.main(["welcome"]) == 0
    assert "No build is published here" in capsys.readouterr().out
    assert (home / "preview" / "welcome" / "1.html").stat().st_size > 1000
    assert preview.main(["welcome", "--contact", "shop-1"]) == 1
    assert preview.main(["hello"]) == 1
    assert "there is no flow 'hello'; there are: " in capsys.readouterr().err


def test_why_lists_the_flows_that_decided_nothing(installed, capsys):
    assert why.main(["ada@example.org"]) == 0
    said = capsys.readouterr().out
    assert "shop-1, decisions: 0." in said and "example.org" not in said
    assert "flow_welcome: nothing was decided; triggers.subscribed has rows about this person: 1\n" in said
    assert "flow_winback: nothing was decided; triggers.lapsed has no row about this person\n" in said
    assert why.main(["shop-1", "--flow", "welcome"]) == 0
    assert "the flow has never run" in capsys.readouterr().out


def test_why_says_who_is_unknown_and_where_nothing_is(installed, monkeypatch, capsys):
    assert why.main(["eve@example.org", "--flow", "welcome"]) == 1
    said = capsys.readouterr().err
    assert "nobody is known by that" in said and "example.org" not in said
    monkeypatch.delenv("AIRFLOW_CONN_LEDGER")
    assert why.main(["shop-1"]) == 1
    assert "`make run` sets it up" in capsys.readouterr().err
