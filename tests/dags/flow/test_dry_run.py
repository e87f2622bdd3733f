"""A dry run shows the whole flow and writes nothing; every run says on itself what it decided."""

from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select

from kreislauf.flow.files import find

NOON = datetime(2026, 3, 10, 12, tzinfo=UTC)
FLOW = find("welcome")
FIRST, SECOND, *_ = [step.name for step in FLOW.steps]


@pytest.fixture
def two_subscribers(circuit):
    people = [
        {
            "contact_id": f"shop-{number}",
            "email": f"ada{number}@example.org",
            "language": "en",
            "email_consent": consent,
        }
        for number, consent in ((1, "granted"), (2, "revoked"))
    ]
    occurred = {"occurrence_id": "first", "occurred_at": NOON - timedelta(minutes=5)}
    started = [{"contact_id": person["contact_id"], **occurred} for person in people]
    circuit.publish({"core.contacts": people, f"triggers.{FLOW.flow.trigger}": started})
    return circuit


def note_of(run_id: str) -> str | None:
    from airflow.models.dagrun import DagRun
    from airflow.utils.session import create_session

    with create_session() as session:
        return session.scalar(select(DagRun).where(DagRun.run_id == run_id)).note


def test_a_dry_run_decides_all_steps_and_takes_it_back(two_subscribers, run_dag, caplog):
    with caplog.at_level(logging.INFO):
        done = run_dag("flow/welcome", dry_run=True)
    assert done["state"] == "success"
    assert done["results"][f"{FIRST}.decide"] == {"planned": 1, "no_consent": 1}
    # The second step sees what the first one would have decided.
    assert "previous_step_open" not in done["results"][f"{SECOND}.decide"]
    assert done["results"]["trigger"]["dry_run"]["samples"] == {FIRST: ["shop-1"]}
    assert two_subscribers.reasons() == {} and two_subscribers.mails() == []
    said = note_of(done["run_id"])
    assert said.startswith("**1 planned of 5 due** (dry run, nothing was written)")
    assert f"- **{FIRST}**: 2 due; 1 planned; no_consent 1" in said
    assert "example.org" not in repr(done["results"]) + note_of(done["run_id"])


def test_the_note_of_a_run_says_what_it_decided(two_subscribers, run_dag):
    done = run_dag("flow/welcome")
    assert done["state"] == "success"
    assert note_of(done["run_id"]).splitlines()[:3] == [
        "**1 planned of 5 due**; messages: accepted 1",
        "",
        f"- **{FIRST}**: 2 due; 1 planned; no_consent 1; messages: accepted 1",
    ]


def test_a_note_that_a_person_wrote_stays(two_subscribers, run_dag):
    from airflow.models.dagrun import DagRun
    from airflow.utils.session import create_session

    from kreislauf_plugin import RunNotes

    done = run_dag("flow/welcome")
    with create_session() as session:
        run = session.scalar(select(DagRun).where(DagRun.run_id == done["run_id"]))
        run.dag_run_note.content, run.dag_run_note.user_id = "mine", "7"
        session.flush()
        RunNotes().on_dag_run_success(run, "success")
    assert note_of(done["run_id"]) == "mine"
