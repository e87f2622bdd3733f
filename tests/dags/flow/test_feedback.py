"""A survey after a service case or a first use, and a task for sales after a bad mark."""

from __future__ import annotations

from datetime import datetime

import pytest

from tests.dags.flow.pretend_crm import pretend_crm
from tests.dags.flow.pretend_posts import pretend_posts
from tests.dags.flow.shop_journeys import DAY, HOUR, NOON, click, contact, mails_of

MORNING = NOON - 3 * HOUR


def asked(number: int, kind: str, topic: str | None, at: datetime) -> dict:
    return {
        "contact_id": f"shop-{number}",
        "occurrence_id": f"{kind}-{number}",
        "occurred_at": at,
        "kind": kind,
        "topic": topic,
        "survey": f"{kind}-{number}",
    }


def test_each_gets_the_survey_for_its_occasion_and_an_answer_ends_it(circuit, run_dag):
    rows = {
        "core.contacts": [contact(1), contact(2), contact(3, email_consent="revoked"), contact(4)],
        "triggers.feedback_due": [
            asked(1, "service", "Lieferung fehlt", MORNING - DAY),
            asked(2, "first_use", "Enamel kettle", MORNING - DAY),
            asked(3, "service", "Rechnung", MORNING - DAY),
            asked(4, "first_use", None, MORNING - DAY),
        ],
    }
    circuit.publish(rows, MORNING)
    run_dag("flow/feedback")
    reasons = circuit.reasons()
    assert reasons["after_service", "shop-1"] == reasons["after_first_use", "shop-2"] == "planned"
    assert reasons["after_first_use", "shop-1"] == reasons["after_service", "shop-2"] == "other_branch"
    assert reasons["after_service", "shop-3"] == "no_consent"
    (german,), (english,), (unnamed,) = (mails_of(circuit, number) for number in (1, 2, 4))
    assert "Lieferung fehlt" in german and "/feedback?about=service-1&amp;recommend=10" in german
    assert "Enamel kettle" in english
    assert "everything that was in the parcel" in unnamed

    # One has answered, one has looked at the survey, one has judged something else.
    rows["conditions.answered_survey"] = [
        {"contact_id": "shop-1", "occurrence_id": "service-1", "occurred_at": MORNING + HOUR},
        {"contact_id": "shop-4", "occurrence_id": "service-9", "occurred_at": MORNING + HOUR},
    ]
    click(circuit, "shop-2", "after_first_use", MORNING + HOUR)
    circuit.publish(rows, MORNING + 4 * DAY)
    run_dag("flow/feedback")
    reasons = circuit.reasons()
    found = {number: reasons["reminder", f"shop-{number}"] for number in (1, 2, 4)}
    assert found == {1: "goal_reached", 2: "condition_false", 4: "planned"}


@pytest.fixture
def crm(tmp_path, monkeypatch):
    with pretend_crm(tmp_path / "crm", monkeypatch, [1]) as crm:
        yield crm


@pytest.fixture
def posts(tmp_path, monkeypatch):
    with pretend_posts(tmp_path / "posts", monkeypatch) as posts:
        yield posts


def test_a_bad_mark_is_one_task_with_what_was_said_and_one_alert_without(circuit, run_dag, crm, posts):
    circuit.publish(
        {
            # Consent is about what we send; a call in answer to a complaint needs none.
            "core.contacts": [
                contact(1, crm_contact_id="1", email_consent="revoked"),
                contact(2, email=None),
            ],
            "triggers.bad_feedback": [
                {
                    "contact_id": f"shop-{number}",
                    "occurrence_id": "2026-03-10",
                    "occurred_at": NOON - HOUR,
                    "satisfaction": "2",
                    "recommend": "-",
                    "comment": "Der Kessel <b>leckt</b>",
                }
                for number in (1, 2)
            ],
        }
    )
    for _ in range(2):
        assert run_dag("flow/bad_feedback")["state"] == "success"
    (task,) = crm.tasks()
    assert "Zufriedenheit 2 von 10" in task["hs_task_body"]
    assert "Der Kessel &lt;b&gt;leckt&lt;/b&gt;" in task["hs_task_body"]
    assert task["hs_task_priority"] == "HIGH"
    # Who cannot be found in the CRM is still told of.
    assert circuit.reasons() == {
        ("call_back", "shop-1"): "planned",
        ("call_back", "shop-2"): "unreachable",
        ("alert", "shop-1"): "planned",
        ("alert", "shop-2"): "planned",
    }
    assert sorted(request["contact_id"] for request in posts.requests()) == ["shop-1", "shop-2"]
    assert {request["type"] for request in posts.requests()} == {"flow_bad_feedback.alert"}
    assert posts.requests()[0]["data"]["satisfaction"] == "2"
    assert "Kessel" not in str(posts.requests())
    assert circuit.mails() == []
