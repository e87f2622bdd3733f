"""Leads: contents and one question at a time, until sales takes over."""

from __future__ import annotations

from decimal import Decimal

import pytest

from tests.dags.flow.pretend_crm import pretend_crm
from tests.dags.flow.pretend_posts import pretend_posts
from tests.dags.flow.shop_journeys import DAY, HOUR, NOON, contact, mails_of

FIELDS = {
    "occurrence_id": "lead",
    "stage": "lead",
    "first_title": "Kalkulation",
    "first_url": "https://shop.example/magazine/first",
    "second_title": "Preisliste",
    "second_url": "https://shop.example/magazine/second",
    "question": "timeframe",
    "question_text": "Wann möchten Sie anfangen?",
    "question_reason": "Dann passt es.",
    "question_url": "https://shop.example/profile/timeframe",
}


def test_a_content_a_question_a_content_until_the_lead_moves_on(circuit, run_dag):
    nine = NOON - 3 * HOUR  # on a Tuesday
    started = nine - 3 * DAY
    leads = [
        FIELDS | {"contact_id": "shop-1", "occurred_at": started},
        # Nothing to ask.
        FIELDS | {"contact_id": "shop-2", "occurred_at": started, "question": None, "question_url": None},
        FIELDS | {"contact_id": "shop-3", "occurred_at": started},
    ]
    rows = {
        "core.contacts": [contact(1), contact(2), contact(3)],
        "triggers.lead_in_stage": leads,
        "conditions.moved_on": [
            {"contact_id": "shop-3", "occurrence_id": "lead", "occurred_at": NOON - DAY},
            # Another stage's occurrence says nothing of this one.
            {"contact_id": "shop-1", "occurrence_id": "mql", "occurred_at": NOON - DAY},
        ],
    }
    for days in (0, 6, 13):  # five days later is a Sunday
        circuit.publish(rows, nine + days * DAY)
        run_dag("flow/lead_nurturing")
    reasons = circuit.reasons()
    steps = ("first_read", "question", "second_read", "next_question")
    found = {n: [reasons[step, f"shop-{n}"] for step in steps] for n in (1, 2, 3)}
    assert found == {
        1: ["planned", "planned", "planned", "not_due"],
        2: ["planned", "condition_false", "planned", "not_due"],
        3: ["goal_reached", "goal_reached", "goal_reached", "goal_reached"],
    }
    first = "".join(mails_of(circuit, 1))
    assert "/magazine/first" in first and "/magazine/second" in first
    assert "Wann möchten Sie anfangen?" in first and "/profile/timeframe" in first


@pytest.fixture
def crm(tmp_path, monkeypatch):
    with pretend_crm(tmp_path / "crm", monkeypatch, [1]) as crm:
        yield crm


@pytest.fixture
def posts(tmp_path, monkeypatch):
    with pretend_posts(tmp_path / "posts", monkeypatch) as posts:
        yield posts


def test_who_is_ready_gets_an_owner_and_the_owner_a_task(circuit, run_dag, crm, posts):
    lead = {
        "contact_id": "shop-1",
        "occurrence_id": "2026-03-10",
        "occurred_at": NOON - HOUR,
        "owner_id": "77",
        "company_name": "Hotel Alster",
        "stage": "mql",
        "bant_score": 85,
        "budget": Decimal("7500.00"),
        "authority": "decides",
        "need": "high",
        "lead_score": 62,
        "grade": "A1",
        "source": "google",
    }
    contacts = [contact(1, crm_contact_id="1", email_consent="none")]
    circuit.publish({"core.contacts": contacts, "triggers.lead_qualified": [lead]})
    for _ in range(2):
        assert run_dag("flow/lead_handover")["state"] == "success"
    (task,) = crm.tasks()
    assert task["hs_task_subject"] == "Anrufen: Hotel Alster, BANT 85"
    assert task["hubspot_owner_id"] == crm.contact(1)["hubspot_owner_id"] == "77"
    for said in ("7.500,00", "decides", "Zeitrahmen: unbekannt", "google", "Kampagne keine"):
        assert said in task["hs_task_body"]
    (request,) = posts.requests()
    assert (request["contact_id"], request["type"]) == ("shop-1", "flow_lead_handover.announce")
    assert request["data"]["text"] == "Neuer Lead für den Vertrieb: Hotel Alster, BANT 85."
