"""Audits of real builds: what passes, what fails, and what is said about it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from bs4 import BeautifulSoup

from kreislauf.connections import Connection
from kreislauf.quality import audit as audits
from kreislauf.quality.audit import AuditFailed, audit
from kreislauf.warehouse.engines import BuildInfo, Engine, engine_for
from kreislauf.warehouse.models import Model, load_models

AS_OF = datetime(2026, 1, 1, tzinfo=UTC)
FILES = {
    "core/contacts": ("contact_id", "select contact_id, email, language from staging.people"),
    "core/source_freshness": ("source, stream", "select source, stream, fresh_until from staging.fresh"),
    "segments/champions": ("contact_id", "select contact_id from core.contacts"),
    "staging/people": ("contact_id", "select '1' as contact_id, 'a' as email, 'de' as language"),
    "staging/fresh": ("source, stream", "select 'a' as source, 'b' as stream, {{ as_of }} as fresh_until"),
}
RULES = """
core.contacts:
  - {check: values, column: language, among: [de, en]}
core.source_freshness:
  - {check: fresh, source: shop, within: 24 hours}
"""


@pytest.fixture
def engine(tmp_path: Path) -> Engine:
    return engine_for(Connection("warehouse", "duckdb", host=str(tmp_path / "warehouse")))


@pytest.fixture
def models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Model]:
    for name, (grain, select) in FILES.items():
        path = tmp_path / "sql" / f"{name}.sql"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"-- A test.\n-- owner: tests\n-- grain: {grain}\n{select}\n")
    (tmp_path / "rules").mkdir()
    (tmp_path / "rules" / "all.yaml").write_text(RULES)
    monkeypatch.setattr(audits, "checks_for", lambda found, as_of: _checks(found, as_of, tmp_path / "rules"))
    found = load_models(tmp_path / "sql")
    return [found["core.contacts"], found["core.source_freshness"], found["segments.champions"]]


_checks = audits.checks_for


def build(
    engine: Engine,
    contacts: list[tuple],
    segment: Sequence[str] = (),
    fresh: datetime = AS_OF,
    as_of: datetime = AS_OF,
) -> BuildInfo:
    found = engine.begin_build(as_of)
    rows = ", ".join(f"({', '.join('null' if v is None else repr(v) for v in row)})" for row in contacts)
    members = ", ".join(f"('{contact}')" for contact in segment) or "(null)"
    moment = f"timestamp '{fresh.replace(tzinfo=None).isoformat(' ')}'"
    for table, select in {
        "core.contacts": f"select * from (values {rows}) as t(contact_id, email, language)",
        "core.source_freshness": f"select 'shop' as source, 'orders' as stream, {moment} as fresh_until",
        "segments.champions": f"select id as contact_id from (values {members}) as t(id) where id > ''",
    }.items():
        engine.create_table(found, table, select)
    return found


GOOD = [("c1", "a@example.org", "de"), ("c2", None, "en")]


def test_a_good_build_passes_and_is_documented(engine, models, tmp_path, caplog):
    caplog.set_level("INFO")
    report = audit(engine, build(engine, GOOD, ["c1"]), models, tmp_path / "docs" / "core.html")

    assert report.rules >= 10 and report.warnings == [] and "Skipping" not in caplog.text
    assert "contact_id is unique" in (tmp_path / "docs" / "core.html").read_text()


@pytest.mark.parametrize(
    ("contacts", "segment", "fresh", "expected"),
    [
        (
            [*GOOD, ("c2", None, "en")], [], AS_OF,
            "core.contacts: contact_id is unique: broken by 1 row; for example c2",
        ),
        (
            [*GOOD, (None, None, "en")], [], AS_OF,
            "core.contacts: contact_id is not null: broken by 1 row",
        ),
        (
            [("c3", None, "fr"), ("c4", None, "it"), *GOOD], [], AS_OF,
            "core.contacts: language is one of de, en: broken by 2 rows; for example c3, c4",
        ),
        (
            GOOD, ["c9"], AS_OF,
            "segments.champions: contact_id is in core.contacts: broken by 1 row; for example c9",
        ),
        (
            GOOD, [], AS_OF - timedelta(hours=25),
            "shop reaches to within 24 hours: broken by 1 row; for example shop / orders",
        ),
    ],
)  # fmt: skip
def test_a_broken_rule_names_table_rule_count_and_keys(
    engine, models, tmp_path, contacts, segment, fresh, expected
):
    found = build(engine, contacts, segment, fresh)
    with pytest.raises(AuditFailed) as caught:
        audit(engine, found, models, tmp_path / "docs" / "core.html")
    assert expected in str(caught.value) and found.build_id in str(caught.value)
    assert "✗" in (tmp_path / "docs" / "core.html").read_text()


def test_the_page_shows_what_is_broken_first_and_needs_nothing_from_elsewhere(engine, models, tmp_path):
    page = tmp_path / "docs" / "core.html"
    with pytest.raises(AuditFailed):
        audit(engine, build(engine, GOOD, ["<b>c9</b>"]), models, page)
    found = BeautifulSoup(page.read_text(), "html.parser")

    assert [f.name for f in page.parent.iterdir()] == ["core.html"] and page.stat().st_size < 50_000
    assert not found.select("script, link, img, iframe, [src], [onclick]")
    assert not [a["href"] for a in found.select("[href]") if not a["href"].startswith("#")]
    sections = [heading.get_text(strip=True) for heading in found.select("h5")]
    assert sections[:2] == ["Overview", "segments.champions"] and "core.contacts" in sections
    [broken] = [row.get_text(" ", strip=True) for row in found.select("tbody tr:has(.fa-times)")]
    assert broken == "contact_id is in core.contacts — for example <b>c9</b> 1"


def test_addresses_are_not_shown(engine, models, tmp_path):
    twice = ("someone@example.org", None, "de")
    with pytest.raises(AuditFailed) as caught:
        audit(engine, build(engine, [twice, twice]), models, tmp_path / "docs" / "core.html")
    assert "example.org" not in str(caught.value)
    pages = [page.read_text() for page in (tmp_path / "docs").rglob("*.html")]
    assert not any("example.org" in page for page in pages)


def test_a_table_that_collapsed_is_an_error_but_not_when_looking_into_the_past(engine, models, tmp_path):
    engine.publish(build(engine, [(f"c{i}", None, "de") for i in range(200)]))
    small = [(f"c{i}", None, "de") for i in range(99)]

    with pytest.raises(AuditFailed, match="a fall from 200 rows in the published build to 99"):
        audit(engine, build(engine, small), models, tmp_path / "docs" / "core.html")

    past = AS_OF - timedelta(days=1)
    audit(engine, build(engine, small, as_of=past), models, tmp_path / "docs" / "past.html")
