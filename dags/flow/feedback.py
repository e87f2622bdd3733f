"""Asks for a mark after a closed service case, and when the first order has been tried.

A journey starts when a case is closed or five days after the first order was delivered
(`triggers.feedback_due`; the days stand at its top). A day later, in the morning, one short survey; a
reminder after four days for those who did not follow it. An answer about that case or order ends the
journey: the survey's link names it (`?about=`), and the site has to give it back as the answer's `topic`.
The marks are read by the build (`core.answers`), and a bad one becomes a task for sales: the flow
`bad_feedback`.

Asking customers how content they are is advertising in Germany, so it goes to those who agreed to it.
Nobody is asked more than twice in four weeks, reminder included.
"""

from kreislauf.flow import Branch, Email, Flow

flow = Flow(
    trigger="feedback_due",
    goal="answered_survey",
    steps=[
        Branch(
            "occasion",
            when="kind = service",
            then=[Email("after_service", after="1 day, at 09:00")],
            otherwise=[Email("after_first_use", after="1 day, at 09:00")],
        ),
        Email("reminder", after="4 days, at 09:00", unless="clicked previous"),
    ],
    relies_on=["shop", "crm", "site"],
    frequency_cap="2 per 4 weeks",
)

dag = flow.dag()  # an airflow.sdk.DAG
