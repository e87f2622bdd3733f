"""What has come due goes out, whoever else cannot send, and once."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select, update

from kreislauf.ledger.schema import Channel, batch, message
from kreislauf.ledger.testing import plan_people
from tests.dags.flow.pretend_crm import pretend_crm

NOON = datetime(2026, 3, 10, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
FLOWS = ("flow_ambassadors", "flow_welcome")
"""With a mail each: one comes before the flow whose provider refuses, one after it."""


@pytest.fixture
def planned(circuit, tmp_path, monkeypatch):
    """Two flows with a mail each, between them a task for the CRM; and a mail for the evening."""
    people = [{"contact_id": name, "email": f"{name}@example.org", "language": "en"} for name in "abcd"]
    circuit.publish({"core.contacts": [person | {"email_consent": "granted"} for person in people]})
    for flow, name in zip(FLOWS, "ab", strict=True):
        plan_people(circuit.ledger, [name], flow=flow, as_of=NOON, run_id=flow)
    plan_people(circuit.ledger, ["c"], as_of=NOON, run_id="evening", send_at=NOON + 6 * HOUR)
    plan_people(
        circuit.ledger,
        ["d"],
        flow="flow_bad_feedback",
        step="call_back",
        template="bad_feedback/call_back",
        merge={"satisfaction": 3, "recommend": 2, "comment": "dented"},
        as_of=NOON,
        run_id="crm",
    )
    with circuit.ledger.write() as connection:
        of_crm = {"channel": Channel.CRM.value}
        connection.execute(update(batch).where(batch.c.flow == "flow_bad_feedback").values(of_crm))
        mine = message.c.flow == "flow_bad_feedback"
        connection.execute(update(message).where(mine).values(of_crm | {"address": "1", "topic": "service"}))
    with pretend_crm(tmp_path / "crm", monkeypatch, [1]) as crm:
        circuit.crm = crm
        yield circuit


def recipients(circuit) -> list[str]:
    return [mail["To"] for mail in circuit.mails()]


def states(circuit) -> dict[str, str]:
    """The batches' states by run."""
    with circuit.ledger.read() as connection:
        return dict(connection.execute(select(batch.c.run_id, batch.c.state)).tuples().all())


def test_what_is_due_in_any_flow_once(planned, run_dag):
    done = run_dag("send/due", as_of=NOON.isoformat())
    assert done["state"] == "success"
    assert set(done["results"]["send"]) == {
        f"{FLOWS[0]}/hello",
        "flow_bad_feedback/call_back",
        f"{FLOWS[1]}/hello",
    }
    assert [counts["messages"] for counts in done["results"]["send"].values()] == [{"accepted": 1}] * 3
    assert recipients(planned) == ["a@example.org", "b@example.org"]
    assert len(planned.crm.tasks()) == 1

    again = run_dag("send/due", as_of=NOON.isoformat())
    assert again["state"] == "success" and again["results"]["send"] == {}
    assert len(planned.mails()) == 2 and len(planned.crm.tasks()) == 1
    assert states(planned)["evening"] == "planned"

    run_dag("send/due", as_of=(NOON + 6 * HOUR).isoformat())
    assert recipients(planned) == ["a@example.org", "b@example.org", "c@example.org"]


def test_one_refused_provider_does_not_hold_the_others_back(planned, run_dag, monkeypatch, capfd):
    right = json.loads(os.environ["AIRFLOW_CONN_CRM"])
    monkeypatch.setenv("AIRFLOW_CONN_CRM", json.dumps(right | {"password": "wrong"}))
    done = run_dag("send/due", as_of=NOON.isoformat())
    assert done["state"] == "failed"
    assert recipients(planned) == ["a@example.org", "b@example.org"]
    assert states(planned)["crm"] == "planned"
    printed = capfd.readouterr()
    assert "flow_bad_feedback/call_back: sending stopped" in printed.out + printed.err
    assert "dented" not in printed.out + printed.err

    monkeypatch.setenv("AIRFLOW_CONN_CRM", json.dumps(right))
    assert run_dag("send/due", as_of=NOON.isoformat())["state"] == "success"
    assert len(planned.mails()) == 2 and len(planned.crm.tasks()) == 1


def test_nothing_of_a_paused_flow_and_nothing_that_a_newer_build_forbids(planned, run_dag):
    planned.ledger.pause("flow_ambassadors", "eve")
    asked = {"contact_id": "b", "email": "b@example.org", "language": "en", "email_consent": "revoked"}
    planned.publish({"core.contacts": [asked]}, NOON + HOUR)
    done = run_dag("send/due", as_of=(NOON + HOUR).isoformat())
    assert done["state"] == "success"
    assert planned.mails() == []
    assert done["results"]["send"]["flow_ambassadors/hello"]["is_paused"]
    assert planned.states() == {"planned": 2, "accepted": 1, "skipped": 1}
