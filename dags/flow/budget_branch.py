"""Answers a form with a budget: from 5,000 on sales calls, below it a short series of mails.

A journey starts with each form in which a budget is named (`triggers.budget_stated`); the limit stands
below, in `when`. Above it the contact becomes a new lead in the CRM with an owner (its own, else one drawn)
and a task for that owner, due within a day. Below it three mails: the assortments that fit, what others do
with it, a last question for those who followed no link. An order ends the journey. Who is not in the CRM
yet is added by its address.
"""

from kreislauf.flow import Branch, Crm, Email, Flow, Together

MORNING = "on weekdays at 09:00"
flow = Flow(
    trigger="budget_stated",
    goal="ordered",
    steps=[
        Branch(
            "budget",
            when="amount >= 5000",
            then=[
                Together(
                    Crm("call", expires="1 week"),
                    Crm("lead", expires="1 week"),
                    Crm("owner", when="owner_id is known", expires="1 week"),
                )
            ],
            otherwise=[
                Email("starter", after="1 hour"),
                Email("examples", after=f"3 days, {MORNING}", expires="4 days"),
                Email("last_question", after=f"1 week, {MORNING}", unless="clicked any", expires="4 days"),
            ],
        ),
    ],
    relies_on=["site", "shop"],
)

dag = flow.dag()  # an airflow.sdk.DAG
