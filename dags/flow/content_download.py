"""Sends what somebody asked for on a content's page, as soon as the address is confirmed.

A journey starts when there are both, the form and the consent (`triggers.content_unlocked`): subscribers
get the mail at once, others after they confirmed their address (the flow `content_confirmation`). It is not
capped, for it was asked for. Who has downloaded it on the site already gets none. What else there is on
that topic comes later: the flow `content_series`.
"""

from kreislauf.flow import Email, Flow

flow = Flow(
    trigger="content_unlocked",
    priority="transactional",
    steps=[Email("asset", after="at once", unless="downloaded_at is known", expires="3 days")],
    relies_on=["site"],
)

dag = flow.dag()  # an airflow.sdk.DAG
