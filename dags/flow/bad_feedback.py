"""Has somebody call who gave a bad mark: a task in the CRM, due within four hours.

A journey starts with a mark below the limits at the top of `triggers.bad_feedback`, from whatever survey;
at most one a person and day. The task goes to whom the CRM names as the contact's owner. Who is not there
yet is added by its address. Sends nothing to the person.
"""

from kreislauf.flow import Crm, Flow

flow = Flow(
    trigger="bad_feedback",
    topic="service",
    priority="transactional",
    steps=[Crm("call_back", after="at once", expires="1 week")],
    relies_on=["site"],
)

dag = flow.dag()  # an airflow.sdk.DAG
