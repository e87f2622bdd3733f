"""Welcomes new subscribers: a hello at once, and a voucher for those who have not ordered by then.

A journey starts with a consent to e-mail (`triggers.subscribed`), once for each consent. Who subscribed
more than two days before the first run of this flow is recorded as expired and gets nothing.
"""

from kreislauf.flow import Email, Flow

flow = Flow(
    trigger="subscribed",
    steps=[
        Email("hello", after="at once"),
        Email("voucher", after="2 days", unless="ordered", fields={"voucher_code": "WELCOME10"}),
    ],
    relies_on=["shop"],
    frequency_cap="2 per 1 day",
)

dag = flow.dag()  # an airflow.sdk.DAG
