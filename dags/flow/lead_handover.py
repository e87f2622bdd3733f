"""Hands leads that are ready to sales: an owner in the CRM, a task with all that is known, an alert.

A journey starts when budget, authority, need and time frame fit and sales has not got the lead yet
(`triggers.lead_qualified`, by `segments.sales_ready`), once in half a year. The owner stays whoever it is;
a lead without one draws one of the CRM's owners, always the same. At the same time a
signed request tells another system (the connection `webhook`, such as a relay to the team's chat, or the
ERP). Sends nothing to the person.
"""

from kreislauf.flow import Crm, Flow, Together, Webhook

flow = Flow(
    trigger="lead_qualified",
    topic="service",
    priority="transactional",
    steps=[
        Together(
            Crm("call", expires="4 weeks"),
            Crm("owner", when="owner_id is known", expires="4 weeks"),
            Webhook("announce", expires="1 week"),
        ),
    ],
    relies_on=["crm", "site"],
)

dag = flow.dag()  # an airflow.sdk.DAG
