"""A form with a budget: sales gets the large ones, mails answer the small ones."""

from __future__ import annotations

from decimal import Decimal

import pytest

from tests.dags.flow.pretend_crm import pretend_crm
from tests.dags.flow.shop_journeys import DAY, HOUR, NOON, click, contact, mails_of


@pytest.fixture
def crm(tmp_path, monkeypatch):
    with pretend_crm(tmp_path / "crm", monkeypatch, [1, 2, 3]) as crm:
        yield crm


def world(*budgets: str) -> dict:
    """Person 1, 2, … has named these budgets two hours ago."""
    numbered = list(enumerate(budgets, 1))
    return {
        "core.contacts": [contact(number, crm_contact_id=str(number)) for number, _ in numbered],
        "triggers.budget_stated": [
            {
                "contact_id": f"shop-{number}",
                "occurrence_id": f"form-{number}",
                "occurred_at": NOON - 2 * HOUR,
                "amount": Decimal(budget),
                "currency": "EUR",
                "owner_id": "77",
                "company_name": "Hotel Alster",
            }
            for number, budget in numbered
        ],
    }


def test_from_five_thousand_on_sales_calls_below_it_mails_go_out(circuit, run_dag, crm):
    circuit.publish(world("5000.00", "4999.99"))
    assert run_dag("flow/budget_branch")["state"] == "success"
    assert run_dag("flow/budget_branch")["state"] == "success"

    (task,) = crm.tasks()
    assert task["hs_task_subject"] == "Anrufen: Hotel Alster, Budget 5.000,00\N{NO-BREAK SPACE}€"
    assert task["hubspot_owner_id"] == "77"
    lead, other = crm.contact(1), crm.contact(2)
    assert (lead["hubspot_owner_id"], lead["hs_lead_status"]) == ("77", "NEW")
    assert "hs_lead_status" not in other
    assert mails_of(circuit, 1) == []
    (mail,) = mails_of(circuit, 2)
    assert "€4,999.99" in mail
    reasons = circuit.reasons()
    assert [reasons[step, "shop-1"] for step in ("call", "lead", "owner")] == ["planned"] * 3
    assert [reasons[step, "shop-2"] for step in ("call", "lead", "owner")] == ["other_branch"] * 3
    assert reasons["starter", "shop-1"] == reasons["examples", "shop-1"] == "other_branch"


def test_an_order_ends_the_mails_and_who_followed_a_link_is_not_asked_again(circuit, run_dag, crm):
    rows = world("100", "200", "300")
    circuit.publish(rows)
    run_dag("flow/budget_branch")
    click(circuit, "shop-2", "starter", NOON + HOUR)

    rows["conditions.ordered"] = [{"contact_id": "shop-3", "occurred_at": NOON + HOUR}]
    for days in (4, 14):  # a Saturday, so the mail goes out on Monday morning and the next a week later
        circuit.publish(rows, NOON + days * DAY)
        run_dag("flow/budget_branch")
    reasons = circuit.reasons()
    found = {
        n: [reasons[step, f"shop-{n}"] for step in ("starter", "examples", "last_question")]
        for n in (1, 2, 3)
    }
    assert found == {
        1: ["planned", "planned", "planned"],
        2: ["planned", "planned", "condition_false"],
        3: ["planned", "goal_reached", "goal_reached"],
    }
    assert crm.tasks() == []
