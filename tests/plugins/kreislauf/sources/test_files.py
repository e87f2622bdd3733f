from __future__ import annotations

import gzip
import json
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pyarrow.parquet as pq
import pytest

from kreislauf.landing.extract import extract
from kreislauf.landing.zone import LandingZone
from kreislauf.sources.errors import BadAnswer
from kreislauf.sources.files import FilesInbox
from kreislauf.sources.streams import AD_SPEND, ANNOUNCEMENTS, POSTAL_RETURNS

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
HEADER = "day,platform,campaign,currency,amount,impressions,clicks\n"
ROW = "2026-11-21,google,tea,EUR,12.50,900,9\n"


@pytest.fixture
def zone(tmp_path) -> LandingZone:
    return LandingZone(tmp_path)


@pytest.fixture
def put(zone):
    def put(name: str, content: str | bytes, folder: str = "ad_spend"):
        path = zone.inbox(folder) / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return put


@pytest.fixture
def land(zone):
    def land(hours: int = 0, stream=AD_SPEND):
        return extract(FilesInbox(zone, stream.name), stream, zone, NOON + timedelta(hours=hours))

    return land


def rows(manifest, table: str = "ad_spend") -> list[dict]:
    if table not in manifest.tables:
        return []
    return pq.read_table(manifest.table_path(table)).to_pylist()


def quarantine(manifest) -> list[dict]:
    found = pq.read_table(manifest.quarantine_path).to_pylist()
    return [{"reason": row["reason"], **json.loads(row["record"])} for row in found]


@pytest.mark.parametrize(
    "content",
    [
        HEADER + ROW,
        HEADER.strip() + "\r\n" + ROW.strip() + "\r\n\r\n",
        "\ufeff" + HEADER + ROW,
        "Clicks ; IMPRESSIONS;amount;currency;campaign;platform;day\n"
        "9; 900 ;12,50;EUR;tea;google;21.11.2026\n;;;;;;\n",
        HEADER.replace(",", "\t") + ROW.replace(",", "\t"),
        "platform,campaign,day,currency,amount,clicks,impressions\n"
        '"google","tea",2026-11-21,EUR,"12.50",9,900\n',
    ],
    ids=["comma", "windows line ends", "byte order mark", "German", "tab", "quoted, other order"],
)
def test_one_row_in_each_way_of_writing_it(put, land, content):
    path = put("spend.csv", content)
    [row] = rows(land())
    assert row.items() >= {
        ("day", date(2026, 11, 21)), ("platform", "google"), ("campaign", "tea"), ("currency", "EUR"),
        ("amount", Decimal("12.50")), ("impressions", 900), ("clicks", 9),
    }  # fmt: skip
    assert not path.exists()


def test_packed_files_and_ndjson(put, land):
    put("1.csv.gz", gzip.compress((HEADER + ROW).encode()))
    put(
        "2.ndjson",
        '{"day": "2026-11-20", "platform": "meta", "campaign": "tea", "currency": "EUR", "amount": 3.1}\n\n',
    )
    put("3.xlsx", b"PK")
    put("4.csv.part", b"day")
    assert [row["amount"] for row in rows(land())] == [Decimal("12.50"), Decimal("3.10")]


@pytest.mark.parametrize(
    ("written", "amount"),
    [
        ("12,5", "12.50"),
        ("1.234,50", "1234.50"),
        ("-3,20", "-3.20"),
        ("1234567,89", "1234567.89"),
        ("1234", "1234.00"),
        ("0.125", "0.13"),
        ("", None),
        ("1.234", None),
        ("1,234", None),
        ("12.34,5", None),
        ("12 EUR", None),
    ],
)
def test_an_amount_is_read_for_certain_or_not_at_all(put, land, written, amount):
    put("spend.csv", f"day;platform;campaign;currency;amount\n2026-11-21;google;tea;EUR;{written}\n")
    manifest = land()
    assert [row["amount"] for row in rows(manifest)] == ([Decimal(amount)] if amount else [])
    assert manifest.quarantined == (0 if amount else 1)


def test_quarantine_says_which_line_of_which_file(put, land):
    put("a.csv", HEADER + ROW + "2026-11-20,google,tea,EUR,much,1,1\n")
    put("b.csv", HEADER + '2026-11-20,google,"two\nlines",EUR,1,1.000,1\n' + "2026-11-19,google,tea\n" + ROW)
    put("c.ndjson", '{"day": "2026-11-20"}\n[1]\nnonsense\n')
    manifest = land()
    assert manifest.rows == 8
    assert len(rows(manifest)) == 2
    held = {(row["_file"], row["_line"]): row for row in quarantine(manifest)}
    assert sorted(held) == [
        ("a.csv", 3), ("b.csv", 3), ("b.csv", 4), ("c.ndjson", 1), ("c.ndjson", 2), ("c.ndjson", 3)
    ]  # fmt: skip
    assert held["a.csv", 3]["reason"] == "ad_spend.amount ($.amount): not a DECIMAL(18,2)"
    assert held["b.csv", 3]["impressions"] == "1.000 (thousands or decimals?)"
    assert held["b.csv", 4]["_fault"] == "3 cells, the header names 7: 2026-11-19,google,tea"
    assert held["c.ndjson", 2]["_fault"] == "no JSON object: [1]"
    assert manifest.unknown_fields == []


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (
            "day,platform,spend\n",
            r"the column campaign, currency, amount is missing; its header names day, platform, spend",
        ),
        ("", "its first line names no column; these are wanted: day, platform, campaign, currency, amount"),
        (HEADER.replace("clicks", "day"), "each column needs a name of its own"),
        (HEADER.replace("clicks", ""), "each column needs a name of its own"),
        (
            (HEADER + ROW).encode() + "2026-11-20,google,Tee für alle,EUR,1,1,1\n".encode("cp1252"),
            "not UTF-8",
        ),
        (HEADER + "x" * 200_000, "cannot be read as CSV"),
    ],
    ids=["columns missing", "empty", "a name twice", "a column without a name", "not UTF-8", "no CSV"],
)
def test_a_file_that_cannot_be_trusted_is_refused_whole(put, land, zone, content, reason):
    bad = put("bad.csv", content)
    with pytest.raises(BadAnswer, match=rf"bad\.csv: .*{reason}"):
        land()
    assert zone.manifests() == []
    assert bad.exists()


def test_a_file_without_a_header_shows_nobodys_data(put, land):
    put("returns.csv", "p-1,2026-11-20,7,ada@example.com,moved\n", "postal_returns")
    with pytest.raises(BadAnswer, match="its first line names no column") as refused:
        land(stream=POSTAL_RETURNS)
    assert "ada@" not in str(refused.value)


def test_a_damaged_archive_is_named(put, land):
    put("spend.csv.gz", gzip.compress((HEADER + ROW * 500).encode())[:-20])
    with pytest.raises(BadAnswer, match=r"spend\.csv\.gz is not a complete gzip file"):
        land()


def test_a_column_that_is_not_declared_is_reported(put, land):
    put("spend.csv", HEADER.strip() + ",agency\n" + ROW.strip() + ",Nordlicht\n")
    manifest = land()
    assert manifest.unknown_fields == ["agency"]
    assert manifest.missing_fields == []
    assert len(rows(manifest)) == 1


def test_other_rows_under_the_same_name_are_another_file_but_the_same_rows_are_not(put, land):
    put("spend.csv", HEADER + ROW)
    assert land().rows == 1
    again = put("spend.csv", HEADER + ROW)
    assert land(1).rows == 0
    assert not again.exists()
    put("spend.csv", HEADER + ROW.replace("12.50", "13.00"))
    assert [row["amount"] for row in rows(land(2))] == [Decimal("13.00")]
    put("spend.csv", HEADER + ROW)
    assert [row["amount"] for row in rows(land(3))] == [Decimal("12.50")], "taken back"


def test_a_file_that_is_replaced_while_it_is_landed_stays_for_the_next_run(put, land, zone):
    path = put("spend.csv", HEADER + ROW)
    inbox = FilesInbox(zone, "ad_spend")
    assert len(list(inbox.lines(path, AD_SPEND))) == 1
    extracted = list(inbox.read(AD_SPEND, None, None))
    put("spend.csv", HEADER + ROW + ROW.replace("tea", "coffee"))
    inbox.committed()
    assert len(extracted) == 1
    assert path.exists()
    assert len(rows(land())) == 2


def test_postal_returns(put, land):
    put("2026-11.csv", "return_id;returned_on;customer_id;reason\np-1;20.11.2026;7;moved\n", "postal_returns")
    manifest = land(stream=POSTAL_RETURNS)
    [row] = rows(manifest, "postal_returns")
    assert (row["return_id"], row["returned_on"], row["customer_id"]) == ("p-1", date(2026, 11, 20), "7")
    assert manifest.missing_fields == ["email"]


def test_announcements_may_say_a_day_or_a_moment(put, land):
    content = (
        "announcement_id;kind;title;announced_at;starts_at;zip_prefix\n"
        "a1;store;Jetzt in Hamburg;2026-12-01T08:00:00Z;2026-12-24;20\n"
        "a2;release;Frühlingspflückung;01.12.2026;;\n"
        "a3;event;Wann?;bald;;\n"
    )
    put("winter.csv", content, "announcements")
    manifest = land(stream=ANNOUNCEMENTS)
    found = {row["announcement_id"]: row for row in rows(manifest, "announcements")}
    assert manifest.quarantined == 1
    assert (found["a1"]["announced_at"], found["a1"]["starts_at"], found["a1"]["zip_prefix"]) == (
        datetime(2026, 12, 1, 8),
        datetime(2026, 12, 24),
        "20",
    )
    assert found["a2"]["announced_at"] == datetime(2026, 12, 1)
    assert found["a2"]["title"] == "Frühlingspflückung"
