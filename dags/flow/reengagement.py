"""Wakes subscribers who have gone quiet: what they get from us, then a question about what they want.

A journey starts when somebody has shown no sign of life for 90 days although we wrote
(`triggers.gone_quiet`; the limits stand at its top). What mail programs open by themselves is no sign of
life. It ends with the first one a human gives: an open, a click, a visit, an order (`conditions.engaged`).
Two subjects of the first mail are compared. Who stays silent is asked for the last time by the flow
`sunset`.
"""

from kreislauf.flow import Email, Flow, Test

flow = Flow(
    trigger="gone_quiet",
    goal="engaged",
    steps=[
        Email(
            "benefits",
            after="at once, at their hour",
            subject=Test("miss_you", "whats_new"),
            expires="4 weeks",
        ),
        Email("preferences", after="1 week, at their hour", expires="1 week"),
    ],
    relies_on=["mail", "site", "shop"],
)

dag = flow.dag()  # an airflow.sdk.DAG
