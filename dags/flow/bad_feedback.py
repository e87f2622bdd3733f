"""Has somebody called who gave a bad mark: a task in the CRM, due within four hours, and an alert.

A journey starts with a mark below the limits at the top of `triggers.bad_feedback`, from whatever survey;
at most one a person and day. The task goes to whom the CRM names as the contact's owner. Who is not there
yet is added by its address. At the same time a signed request tells another system (the connection
`webhook`, such as a relay to the team's chat) the marks and the contact's id; the comment stays in the CRM.
Sends nothing to the person.
"""

from kreislauf.flow import Crm, Flow, Together, Webhook

flow = Flow(
    trigger="bad_feedback",
    topic="service",
    priority="transactional",
    steps=[Together(Crm("call_back", expires="1 week"), Webhook("alert", expires="1 day"))],
    relies_on=["site"],
)

dag = flow.dag()  # an airflow.sdk.DAG
