"""Why she got this, and why not: every decision with what it rests on, in plain words."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import insert

from kreislauf.connections import Connection
from kreislauf.flow import Email, Flow, why
from kreislauf.flow.explain import explain, undecided
from kreislauf.flow.files import FlowFile
from kreislauf.flow.sentences import EVENTS, MESSAGES, REASONS
from kreislauf.flow.testing import publish
from kreislauf.ledger import consents, suppressions
from kreislauf.ledger.events import EventType
from kreislauf.ledger.schema import NOT_FINAL, BatchState, Outcome, Reason, batch, decision, event, message
from kreislauf.ledger.store import utc_now
from kreislauf.warehouse.engines import Engine, engine_for

NOON = datetime(2026, 3, 10, 12, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
DAGS = Path(__file__).parents[4] / "dags" / "flow"
REPOSITORY = DAGS.parents[1]
FLOW = Flow(
    "subscribed", [Email("hello"), Email("voucher", after="2 days", unless="ordered")], goal="ordered"
)
STEPS = FLOW.resolve(DAGS / "welcome.py")
FLOWS = {"flow_welcome": FlowFile(DAGS / "welcome.py", "flow_welcome", "", FLOW, STEPS)}

ADA = {"contact_id": "crm-7", "email": "ada@example.org", "timezone": "Europe/Berlin"}
KEYS = [
    {"source": "crm", "source_id": "7", "record_id": "crm-7", "contact_id": "crm-7"},
    {"source": "shop", "source_id": "1", "record_id": "shop-1", "contact_id": "crm-7"},
    {"source": "mail", "source_id": "ada@example.org", "record_id": "mail-a1", "contact_id": "crm-7"},
]


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Engine:
    """One build for all: Ada is three records and a browser; Bob has done nothing."""
    made = engine_for(Connection("warehouse", "duckdb", str(tmp_path_factory.mktemp("warehouse"))))
    subscribed = {"contact_id": "crm-7", "occurrence_id": "old", "occurred_at": NOON - 90 * DAY}
    said = {"source": "shop", "source_id": "1", "state": "granted", "basis": "consent_doi"}
    rows = {
        "core.contacts": [ADA, {"contact_id": "shop-2", "timezone": "UTC"}],
        "core.contact_keys": KEYS,
        "core.visitor_keys": [{"visitor_id": "v-9", "contact_id": "crm-7"}],
        "core.consents": [
            {"contact_id": "crm-7", "occurred_at": NOON - 5 * DAY, **said},
            {"contact_id": "crm-7", "occurred_at": NOON + DAY, **said, "state": "revoked"},
        ],
        "core.subscriptions": [],
        "triggers.subscribed": [
            subscribed,
            subscribed | {"occurrence_id": "new", "occurred_at": NOON - HOUR},
        ],
    }
    publish(made, NOON, rows)
    return made


def decided(ledger, reason: Reason, *, step: str = "hello", contact: str = "crm-7", **different) -> None:
    values = {
        "flow": "flow_welcome",
        "flow_version": FLOW.version,
        "step": step,
        "contact_id": contact,
        "occurrence_id": f"of-{reason}",
        "reason": reason.value,
        "is_final": reason not in NOT_FINAL,
        "occurred_at": NOON - 3 * HOUR,
        "due_at": NOON - HOUR,
        "as_of": NOON,
        "inputs_until": NOON - timedelta(minutes=90),
        "policy_version": "policy-1",
        "build_id": "build-1",
        "run_id": "run-1",
        "updated_at": utc_now(),
    }
    with ledger.write() as connection:
        connection.execute(insert(decision), [values | different])


def sent(ledger, state: str, outcome: str | None = None, reason: str | None = None) -> None:
    """The message of the decision `planned`, in a batch of this state."""
    common = {"flow": "flow_welcome", "step": "hello", "planned_as_of": NOON, "send_at": NOON}
    of_batch = {
        "id": "b1",
        "language": "en",
        "template": "welcome/hello",
        "size": 1,
        "run_id": "run-1",
        "caps": [],
    }
    of_batch |= {"state": state, "answered_at": NOON + HOUR, "updated_at": NOON}
    of_message = {"message_key": "m1", "contact_id": "crm-7", "occurrence_id": "of-planned", "batch_id": "b1"}
    of_message |= {"priority": 1, "address": "ada@example.org", "merge": {}, "planned_at": NOON}
    of_message |= {"outcome": outcome, "outcome_reason": reason, "updated_at": NOON}
    with ledger.write() as connection:
        connection.execute(insert(batch), [common | of_batch])
        connection.execute(insert(message), [common | of_message])


def happened(ledger, *types: str, machine: bool = False) -> None:
    rows = [
        {
            "event_id": f"{type_}-{machine}",
            "message_key": "m1",
            "address": "ada@example.org",
            "type": type_,
            "occurred_at": NOON + minute * timedelta(minutes=1),
            "is_machine_open": machine,
            "recorded_at": NOON,
        }
        for minute, type_ in enumerate(types, 61)
    ]
    with ledger.write() as connection:
        connection.execute(insert(event), rows)


def text(ledger, engine, given: str = "crm-7") -> str:
    person = why.find(ledger, engine, given)
    return "\n".join(explain(person, why.decisions(ledger, engine, person), FLOWS))


@pytest.mark.parametrize("reason", Reason)
def test_every_reason_is_a_sentence(ledger, engine, reason):
    decided(ledger, reason)
    found = text(ledger, engine)
    assert f"flow_welcome  hello (email): {reason}" in found
    assert REASONS[reason] in found
    assert ("asked again" in found) == (reason in NOT_FINAL)


def test_the_first_line_says_what_became_of_a_message(ledger, engine):
    decided(ledger, Reason.PLANNED)
    sent(ledger, BatchState.ACCEPTED, Outcome.SKIPPED, "frequency_cap")
    assert "flow_welcome  hello (email): planned, then skipped (frequency_cap)\n" in text(ledger, engine)


def test_a_campaign_is_asked_about_by_its_name(ledger):
    with pytest.raises(LookupError, match=r"no flow 'campaign_newsletter'; there are: .*winback$"):
        why.flow_named(ledger, "campaign_newsletter")
    decided(ledger, Reason.PLANNED, flow="campaign_newsletter")
    assert why.flow_named(ledger, "campaign_newsletter") == "campaign_newsletter"
    assert why.flow_named(ledger, "welcome") == why.flow_named(ledger, "flow_welcome") == "flow_welcome"
    with pytest.raises(LookupError, match=r"'welcom'; there are: .*winback, campaign_newsletter$"):
        why.flow_named(ledger, "welcom")


def test_the_docs_say_the_same_sentences():
    page = (REPOSITORY / "docs" / "why.md").read_text(encoding="utf-8")
    for reason, sentence in REASONS.items():
        asked_again = "yes" if reason in NOT_FINAL else "no"
        assert f"| `{reason}` | {sentence} | {asked_again} |" in page


def test_the_query_in_the_docs_says_the_same(any_ledger):
    page = (REPOSITORY / "docs" / "why.md").read_text(encoding="utf-8")
    (sql,) = re.findall(r"```sql\n(.*?)```", page, re.S)
    decided(any_ledger, Reason.PLANNED, contact="shop-1042")
    decided(any_ledger, Reason.NOT_DUE, contact="shop-1042", step="voucher")
    decided(any_ledger, Reason.PLANNED, contact="shop-1")
    with any_ledger.read() as connection:
        rows = connection.exec_driver_sql(sql).mappings().all()
    assert [(row["step"], row["reason"], row["policy_version"]) for row in rows] == [
        ("voucher", "not_due", "policy-1"),
        ("hello", "planned", "policy-1"),
    ]


def test_nothing_lacks_words():
    assert set(REASONS) == set(Reason)
    assert set(MESSAGES) == {*BatchState, *Outcome}
    assert set(EVENTS) == set(EventType)


def test_a_decision_with_all_it_rests_on(ledger, engine):
    decided(ledger, Reason.PLANNED, variant="short", send_at=NOON + HOUR)
    sent(ledger, "accepted")
    happened(ledger, "delivered", "open", "click")
    happened(ledger, "open", machine=True)
    assert text(ledger, engine).splitlines()[:2] == [
        "crm-7, decisions: 1. Times are the person's own: Europe/Berlin.",
        "  the same person: mail-a1, shop-1, v-9",
    ]
    assert [line.split(None, 1) for line in text(ledger, engine).splitlines()[5:]] == [
        ["occurrence", "of-planned of triggers.subscribed, 2026-03-10 10:00"],
        ["due", "2026-03-10 12:00, to go out 2026-03-10 14:00"],
        ["decided", "as of 2026-03-10 13:00 on build build-1, by run run-1"],
        ["inputs", "known up to 2026-03-10 11:30, 1 h 30 min before"],
        ["versions", f"flow {FLOW.version}, policy policy-1"],
        [
            "message",
            "accepted by the provider 2026-03-10 14:00 · delivered 2026-03-10 14:01 · "
            "opened 2026-03-10 14:01 (by a machine) · opened 2026-03-10 14:02 · clicked 2026-03-10 14:03",
        ],
        ["consents", "email marketing: granted 2026-03-05 13:00 (shop, consent_doi)"],
        ["stopped", "no suppression was in force"],
    ]


def test_a_message_that_was_dropped_in_the_last_moment(ledger, engine):
    decided(ledger, Reason.PLANNED)
    sent(ledger, "accepted", "skipped", "suppressed")
    assert f"{MESSAGES['skipped']}: suppressed. {REASONS[Reason.SUPPRESSED]}" in text(ledger, engine)


def test_newest_first_and_the_end_of_a_journey_is_told(ledger, engine):
    decided(ledger, Reason.NO_CONSENT, occurrence_id="o1")
    decided(ledger, Reason.NO_CONSENT, occurrence_id="o1", step="voucher", as_of=NOON + DAY)
    decided(ledger, Reason.GOAL_REACHED, occurrence_id="o2", as_of=NOON - DAY, flow_version="older")
    lines = text(ledger, engine).splitlines()
    heads = [line for line in lines if line.startswith("flow_welcome")]
    assert [head.split()[1] for head in heads] == ["voucher", "hello", "hello"]
    assert lines.count("  The journey had ended with the step hello, for the same reason.") == 1
    assert lines.count("  The flow's file has changed since.") == 1


def test_the_condition_and_the_goal_are_named(ledger, engine):
    decided(ledger, Reason.CONDITION_FALSE, step="voucher")
    decided(ledger, Reason.GOAL_REACHED)
    found = text(ledger, engine)
    assert "The step says: after 2 days · unless ordered." in found
    assert "The goal is: ordered." in found


@pytest.mark.parametrize("given", ["crm-7", "shop-1", "mail-a1", "v-9", " Ada@Example.org "])
def test_by_any_id_of_the_person_or_the_address(ledger, engine, given):
    decided(ledger, Reason.NOT_DUE, contact="shop-1")  # decided before the records joined
    assert "flow_welcome  hello (email): not_due" in text(ledger, engine, given)


def test_what_was_said_and_stopped_then_and_not_later(ledger, engine):
    before = utc_now() - HOUR
    decided(ledger, Reason.NO_CONSENT, updated_at=before)
    address = [{"address": "ada@example.org"}]
    suppressions.suppress(ledger, address, "hard_bounce", "event 1")
    said = {"address": "ada@example.org", "state": "revoked", "source": "web", "occurred_at": NOON - HOUR}
    consents.record(ledger, [consents.Statement(**said, source_key="1")])
    assert "granted" in text(ledger, engine) and "no suppression was in force" in text(ledger, engine)

    decided(ledger, Reason.SUPPRESSED, as_of=NOON + HOUR)
    newest = text(ledger, engine).split("flow_welcome  ")[1]
    assert "email: hard_bounce since" in newest
    assert "email marketing: revoked 2026-03-10 12:00 (web)" in newest


def test_nobody_and_never_an_address(ledger, engine):
    decided(ledger, Reason.PLANNED)
    sent(ledger, "in_doubt")
    assert "example.org" not in text(ledger, engine, "ada@example.org")
    with pytest.raises(why.NobodyFound) as error:
        why.find(ledger, engine, "eve@example.org")
    assert "example.org" not in str(error.value)


def test_without_a_warehouse_the_ledger_alone_answers(ledger):
    decided(ledger, Reason.PLANNED)
    sent(ledger, "planned")
    for given in ("crm-7", "ada@example.org"):
        assert "planned, not yet handed over" in text(ledger, None, given)


def test_where_nothing_was_decided(ledger, engine):
    def said(given: str) -> list[str]:
        person = why.find(ledger, engine, given)
        return list(undecided(ledger, engine, FLOWS["flow_welcome"], person))

    assert said("crm-7") == [
        "flow_welcome: nothing was decided; triggers.subscribed has rows about this person: 2",
        "  new, 2026-03-10 12:00: the flow has never run",
        "  old, 2025-12-10 13:00: too long ago, the flow asks about 30 days",
    ]
    decided(ledger, Reason.PLANNED, contact="shop-9", as_of=NOON - DAY)
    assert said("crm-7")[1].endswith("the flow ran last as of 2026-03-09 13:00; its next run decides")
    summary, holds, *inputs = said("shop-2")
    assert summary.endswith("nothing was decided; triggers.subscribed has no row about this person")
    assert holds.startswith("  it holds: ")
    assert "  made from core.subscriptions: 0 rows of this person" in inputs
    assert list(undecided(ledger, None, FLOWS["flow_welcome"], why.find(ledger, engine, "shop-2"))) == [
        "flow_welcome: nothing was decided; no build is published here, so nothing more can be said: "
        "run build_warehouse"
    ]
