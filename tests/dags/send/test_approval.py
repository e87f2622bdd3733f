"""Above a size a person is asked: yes, no, and nobody answers."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import func, select

from kreislauf.flow.files import find
from kreislauf.ledger.schema import message

NOON = datetime(2026, 3, 10, 12, tzinfo=UTC)
MANY = find("ambassadors").flow.approve_above + 1
START = {"flow": "flow_ambassadors"}


@pytest.fixture
def waiting(circuit, run_dag) -> str:
    """A run of a flow that plans one message more than may go out unasked; its id."""
    names = [f"shop-{number}" for number in range(MANY)]
    found = {"occurrence_id": "2026", "occurred_at": NOON - timedelta(days=1)}
    person = {"language": "en", "email_consent": "granted", "timezone": "UTC"}
    circuit.publish(
        {
            "core.contacts": [
                {"contact_id": name, "email": f"{name}@example.org", **person} for name in names
            ],
            "triggers.advocate_found": [{"contact_id": name, **found} for name in names],
        }
    )
    run_id = run_dag("flow/ambassadors")["run_id"]
    assert circuit.states() == {"waiting": MANY} and circuit.mails() == []
    return run_id


@pytest.fixture
def nobody_answers(airflow_db):
    """The day to answer in is over at once; Airflow's scheduler is asked to notice."""
    is_over = threading.Event()
    thread = threading.Thread(target=_let_the_day_pass, args=(is_over,))
    thread.start()
    yield
    is_over.set()
    thread.join()


def _let_the_day_pass(is_over: threading.Event) -> None:
    from unittest.mock import Mock

    from airflow.jobs.scheduler_job_runner import SchedulerJobRunner
    from airflow.models.taskinstance import TaskInstance
    from airflow.utils.session import create_session

    while not is_over.wait(0.3):
        with create_session() as session:
            task = session.scalar(select(TaskInstance).where(TaskInstance.state == "awaiting_input"))
            if task:
                assert task.trigger_timeout > datetime.now(UTC) + timedelta(hours=23)
                task.trigger_timeout = datetime.now(UTC) - timedelta(seconds=1)
                session.flush()
                SchedulerJobRunner.check_awaiting_input_timeouts(Mock(), session=session)
                return


def reasons(circuit) -> dict[str | None, int]:
    counted = select(message.c.outcome_reason, func.count()).group_by(message.c.outcome_reason)
    with circuit.ledger.read() as connection:
        return dict(connection.execute(counted).tuples().all())


def send_due(run_dag: Callable) -> None:
    assert run_dag("send/due", as_of=NOON.isoformat())["state"] == "success"


def test_until_there_is_an_answer_nothing_goes_out(circuit, run_dag, waiting):
    send_due(run_dag)
    run_dag("flow/ambassadors")
    assert circuit.states() == {"waiting": MANY} and circuit.mails() == []


def test_approved_messages_go_out_once(circuit, run_dag, answer, waiting):
    answer("Approve")
    done = run_dag("send/approval", **START, run_id=waiting)
    assert done["state"] == "success"
    assert done["results"]["count"] == {"invitation": MANY}
    assert done["results"]["apply"] == {"approved": True, "messages": MANY}
    assert circuit.mails() == [], "send_due does that"
    for _ in range(2):
        send_due(run_dag)
    assert len(circuit.mails()) == len({mail["To"] for mail in circuit.mails()}) == MANY


def test_rejected_messages_never_go_out(circuit, run_dag, answer, waiting):
    answer("Reject")
    assert run_dag("send/approval", **START, run_id=waiting)["results"]["apply"]["approved"] is False
    send_due(run_dag)
    run_dag("flow/ambassadors")
    assert reasons(circuit) == {"not_approved": MANY} and circuit.mails() == []


def test_no_answer_is_a_no(circuit, run_dag, nobody_answers, waiting):
    done = run_dag("send/approval", **START, run_id=waiting)
    assert done["state"] == "success"
    assert done["results"]["apply"] == {"approved": False, "messages": MANY}
    send_due(run_dag)
    assert reasons(circuit) == {"not_approved": MANY} and circuit.mails() == []
