"""Double opt-in: asks people who want something to read or to download to confirm their address.

A journey starts when somebody who gets no marketing mail fills in a content's form
(`triggers.content_requested`), once a day however much was asked for. One mail without advertising, and no
reminder: who does not press its button hears nothing more. The button leads to the web app, which records
the consent and its evidence in the ledger; with it the flow `content_download` sends what was asked for.
"""

from kreislauf.flow import Email, Flow

flow = Flow(
    trigger="content_requested",
    goal="confirmed",
    topic="service",
    priority="transactional",
    steps=[Email("confirm", after="at once", expires="1 day")],
    relies_on=["site"],
)

dag = flow.dag()  # an airflow.sdk.DAG
