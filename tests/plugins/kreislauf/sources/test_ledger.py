from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import insert, update

from kreislauf.connections import Connection
from kreislauf.landing.extract import extract
from kreislauf.landing.zone import LandingZone
from kreislauf.ledger.schema import (
    audience_member,
    batch,
    consent,
    decision,
    event,
    message,
    push_subscription,
    suppression,
    template_link,
)
from kreislauf.ledger.store import Ledger
from kreislauf.sources.ledger import LedgerSource
from kreislauf.sources.streams import (
    LEDGER_AUDIENCE_MEMBERS,
    LEDGER_CONSENTS,
    LEDGER_DECISIONS,
    LEDGER_EVENTS,
    LEDGER_LINKS,
    LEDGER_MESSAGES,
    LEDGER_PUSH_SUBSCRIPTIONS,
    LEDGER_SUPPRESSIONS,
)

# The circuit replays a night long past, while the ledger is stamped with real time.
THEN = datetime(2011, 12, 10, tzinfo=UTC)
LEDGERS_NOW = datetime.now(UTC)


@pytest.fixture
def ledger(tmp_path) -> Ledger:
    found = Ledger.open(Connection("ledger", "sqlite", host=str(tmp_path / "ledger.sqlite")))
    found.migrate()
    return found


@pytest.fixture
def zone(tmp_path) -> LandingZone:
    return LandingZone(tmp_path / "landing")


@pytest.fixture
def land(ledger, zone, rows):
    """Land a stream `hours` after the moment the circuit replays; the rows of its table."""

    def land(stream, hours: int = 0, since: datetime | None = None):
        manifest = extract(LedgerSource(ledger), stream, zone, THEN + timedelta(hours=hours), since)
        return rows(manifest, next(iter(stream.tables))) if manifest else []

    return land


@pytest.fixture
def rows():
    import duckdb

    def rows(manifest, table):
        assert (manifest.quarantined, manifest.unknown_fields, manifest.missing_fields) == (0, [], [])
        if table not in manifest.tables:
            return []
        found = duckdb.connect().sql(
            "select * from read_parquet(?, hive_partitioning = false)", params=[manifest.table_path(table)]
        )
        return [dict(zip(found.columns, row, strict=True)) for row in found.fetchall()]

    return rows


def write(ledger: Ledger, statement, values=None):
    with ledger.write() as connection:
        connection.execute(statement, values or {})


@pytest.fixture
def sent(ledger):
    """A batch of two messages, written a day ago."""
    at = LEDGERS_NOW - timedelta(days=1)
    common = {"flow": "flow_welcome", "step": "hello", "planned_as_of": THEN, "updated_at": at}
    write(
        ledger,
        insert(batch),
        {
            "id": "b1",
            "language": "de",
            "template": "welcome/hello",
            "size": 2,
            "state": "planned",
            "variant": "short",
            "send_at": THEN,
            "run_id": "r1",
            "caps": [],
        }
        | common,
    )
    for number in (1, 2):
        write(
            ledger,
            insert(message),
            {
                "message_key": f"m{number}",
                "contact_id": f"c{number}",
                "occurrence_id": "o1",
                "batch_id": "b1",
                "address": f"p{number}@example.com",
                "merge": {},
                "planned_at": at,
                "priority": 0,
                "send_at": THEN,
            }
            | common,
        )


def test_messages_have_the_state_of_their_batch_or_their_own(ledger, sent, land):
    write(
        ledger,
        update(message).where(message.c.message_key == "m2"),
        {"outcome": "skipped", "outcome_reason": "no_consent"},
    )
    found = {row["message_key"]: row for row in land(LEDGER_MESSAGES)}
    assert {key: (row["state"], row["reason"], row["variant"]) for key, row in found.items()} == {
        "m1": ("planned", None, "short"),
        "m2": ("skipped", "no_consent", "short"),
    }
    assert found["m1"]["planned_as_of"] == THEN.replace(tzinfo=None)


def test_no_address_of_a_message_leaves_the_ledger(sent, land):
    assert all("@" not in str(row.values()) for row in land(LEDGER_MESSAGES))


def test_a_message_changes_with_its_batch(ledger, sent, land):
    land(LEDGER_MESSAGES)
    assert land(LEDGER_MESSAGES, hours=1) == []
    write(
        ledger,
        update(batch),
        {"state": "accepted", "updated_at": datetime.now(UTC), "answered_at": LEDGERS_NOW},
    )
    assert {row["state"] for row in land(LEDGER_MESSAGES, hours=2)} == {"accepted"}


def test_what_the_ledger_gets_between_two_runs_at_one_moment_is_landed(ledger, land):
    """Replays run several times as of one moment; the ledger goes on meanwhile."""
    assert land(LEDGER_DECISIONS) == []
    write(ledger, insert(decision), a_decision())
    assert [row["reason"] for row in land(LEDGER_DECISIONS)] == ["no_consent"]


def test_everything_can_be_read_again(ledger, land):
    write(ledger, insert(decision), a_decision(LEDGERS_NOW - timedelta(days=9)))
    assert len(land(LEDGER_DECISIONS)) == 1
    assert land(LEDGER_DECISIONS, hours=1) == []
    assert len(land(LEDGER_DECISIONS, hours=2, since=THEN - timedelta(days=400))) == 1


def test_suppressions(ledger, land):
    at = LEDGERS_NOW - timedelta(hours=1)
    values = {
        "address": "p@example.com",
        "reason": "opt_out",
        "source": "event e1",
        "created_at": at,
        "updated_at": at,
    }
    write(ledger, insert(suppression), values)
    [row] = land(LEDGER_SUPPRESSIONS)
    assert (row["email"], row["reason"], row["lifted_at"]) == ("p@example.com", "opt_out", None)
    assert row["created_at"] == at.replace(tzinfo=None)


def test_the_links_of_what_was_sent_come_with_their_flow_and_step(ledger, sent, land):
    link = {"template": "welcome/hello", "kind": "img", "target": "https://shop.example/", "label": "Tea"}
    versions = [
        {"template_version": version, "slot": slot} for version in "ab" for slot in ("img01", "btn01")
    ]
    write(ledger, insert(template_link), [link | version for version in versions])
    assert land(LEDGER_LINKS) == [], "nothing was sent with them yet"

    write(ledger, update(batch), {"template_version": "a", "updated_at": datetime.now(UTC)})
    found = land(LEDGER_LINKS, hours=1)
    assert [(row["flow"], row["step"], row["variant"], row["language"]) for row in found] == [
        ("flow_welcome", "hello", "short", "de")
    ] * 2
    assert [(row["template_version"], row["slot"], row["label"]) for row in found] == [
        ("a", "btn01", "Tea"),
        ("a", "img01", "Tea"),
    ]
    # A second batch of the same version: each link is still one row.
    write(
        ledger,
        insert(batch),
        {
            "id": "b2", "flow": "flow_welcome", "step": "hello", "variant": "short", "language": "de",
            "template": "welcome/hello", "template_version": "a", "size": 1, "state": "accepted",
            "planned_as_of": THEN, "updated_at": datetime.now(UTC),
            "send_at": THEN, "run_id": "r1", "caps": [],
        },
    )  # fmt: skip
    assert [row["slot"] for row in land(LEDGER_LINKS, hours=2)] == ["btn01", "img01"]


def test_events_of_all_channels_but_mail_which_has_its_own(ledger, sent, land):
    write(ledger, update(message).where(message.c.message_key == "m2"), {"channel": "push"})
    common = {"address": "p@example.com", "type": "click", "occurred_at": THEN, "recorded_at": LEDGERS_NOW}
    for event_id, key in (("e1", "m1"), ("e2", "m2"), ("e3", None)):
        write(ledger, insert(event), common | {"event_id": event_id, "message_key": key})
    [row] = land(LEDGER_EVENTS)
    assert (row["event_id"], row["event_type"], row["message_key"]) == ("e2", "click", "m2")
    assert "address" not in row


def test_consents_subscriptions_and_audiences(ledger, land):
    at = LEDGERS_NOW - timedelta(hours=1)
    write(
        ledger,
        insert(consent),
        {
            "address": "+4930123456", "contact_id": "c1", "channel": "sms", "state": "revoked",
            "source": "sms", "source_key": "k", "occurred_at": at, "recorded_at": at,
        },
    )  # fmt: skip
    subscription = {"endpoint": "https://push.example/x", "p256dh": "p", "auth": "a", "language": "de"}
    times = {"created_at": at, "updated_at": at}
    write(ledger, insert(push_subscription), {"id": "s1", "visitor_id": "v1", **subscription, **times})
    member = {"audience": "sunset", "contact_id": "c1", "entered_at": at, "entered_by": "m1"}
    write(ledger, insert(audience_member), {**member, "updated_at": at})

    [said] = land(LEDGER_CONSENTS)
    assert (said["channel"], said["state"], said["topic"]) == ("sms", "revoked", "marketing")
    [browser] = land(LEDGER_PUSH_SUBSCRIPTIONS)
    assert (browser["subscription_id"], browser["visitor_id"], browser["revoked_at"]) == ("s1", "v1", None)
    assert "push.example" not in str(browser), "how it is reached stays in the ledger"
    [entered] = land(LEDGER_AUDIENCE_MEMBERS)
    assert (entered["audience"], entered["contact_id"], entered["left_at"]) == ("sunset", "c1", None)

    write(ledger, update(audience_member), {"left_at": LEDGERS_NOW, "updated_at": datetime.now(UTC)})
    [left] = land(LEDGER_AUDIENCE_MEMBERS, hours=1)
    assert left["left_at"] is not None


def a_decision(at: datetime | None = None) -> dict:
    return {
        "flow": "flow_welcome",
        "flow_version": "1",
        "step": "hello",
        "contact_id": "c1",
        "occurrence_id": "o1",
        "reason": "no_consent",
        "is_final": True,
        "as_of": THEN,
        "build_id": "b",
        "run_id": "r",
        "updated_at": at or datetime.now(UTC),
    }
