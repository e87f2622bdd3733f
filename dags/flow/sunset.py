"""The last attempt: who does not answer is not written to any more.

A journey starts with ten mails in 180 days and no sign of life in them (`triggers.sunset_due`; the limits
stand at its top). One mail asks whether to go on. Whoever opens, clicks, visits or orders goes on getting
mail. Two weeks of silence later the person joins the audience `sunset`, which keeps back all marketing
mail: its members have no permission in `core.permissions`. The flow `sunset_return` lets them out again.
"""

from kreislauf.flow import Email, Flow, Join

flow = Flow(
    trigger="sunset_due",
    goal="engaged",
    steps=[
        Email("last_attempt", after="at once, at 10:00", expires="5 weeks"),
        Join("sunset", after="2 weeks", expires="4 weeks"),
    ],
    relies_on=["mail", "site", "shop"],
)

dag = flow.dag()  # an airflow.sdk.DAG
