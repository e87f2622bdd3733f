"""Reminds people of a cart they left: the very products with their pictures, and one last call.

A journey starts with an open checkout (`triggers.cart_abandoned`) and ends with any order. Half of the
people are reminded after one hour and half after four, to learn which works better.
"""

from kreislauf.flow import Email, Flow, Test

flow = Flow(
    trigger="cart_abandoned",
    goal="ordered",
    steps=[
        Email("reminder", after=Test(short="1 hour", long="4 hours")),
        Email("last_call", after="1 day", unless="clicked previous"),
    ],
    relies_on=["shop", "mail"],
    frequency_cap="2 per 1 day",
)

dag = flow.dag()  # an airflow.sdk.DAG
