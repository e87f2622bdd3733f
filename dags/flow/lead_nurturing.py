"""Accompanies leads: what fits their phase and persona, and one question at a time.

A journey starts when a contact becomes a lead, and again when it is marketing qualified, each for the first
time (`triggers.lead_in_stage`). Contents come from `audiences.next_content`. The question is the gap in
budget, authority, need, time frame or project that weighs most, then what else is missing; texts and pages
stand in `include/sql/seeds/profile_questions.csv`. The journey ends when the contact leaves the stage or is
ready for sales (`conditions.moved_on`): then the flow `lead_handover` takes over.
"""

from kreislauf.flow import Email, Flow

MORNING = "on weekdays at 09:00"
flow = Flow(
    trigger="lead_in_stage",
    goal="moved_on",
    steps=[
        Email("first_read", after=f"3 days, {MORNING}", when="first_url is known", expires="4 days"),
        Email("question", after=f"5 days, {MORNING}", when="question_url is known", expires="4 days"),
        Email("second_read", after=f"1 week, {MORNING}", when="second_url is known", expires="4 days"),
        Email(
            "next_question",
            after=f"1 week, {MORNING}",
            when="question_url is known",
            template="question",
            expires="4 days",
        ),
        Email("third_read", after=f"2 weeks, {MORNING}", when="third_url is known", expires="4 days"),
    ],
    relies_on=["crm", "site"],
)

dag = flow.dag()  # an airflow.sdk.DAG
