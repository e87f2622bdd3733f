"""Lets people out of the audience `sunset` who are back, so that they get marketing mail again.

A journey starts when a member opens, clicks, visits, orders or agrees to mail anew
(`triggers.sunset_answered`), and has one step. Sends nothing. Who falls silent again begins anew with the
flow `sunset`.
"""

from kreislauf.flow import Flow, Leave

flow = Flow(
    trigger="sunset_answered",
    topic="service",
    priority="transactional",
    steps=[Leave("sunset", after="at once", expires="4 weeks")],
)

dag = flow.dag()  # an airflow.sdk.DAG
