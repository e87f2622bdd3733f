"""Shows people once more what they looked at more than once and did not buy: one product, one link, rarely.

**Who, when.** A known person looks at a product for the second time (`triggers.browse_abandoned`) and
leaves: four hours after the last look. Of several products it is the one seen last. Each product at most
once a quarter, and at most one of these mails in two weeks. Who has left a cart within a week gets nothing
here: `flow_abandoned_cart` writes to them.

**How it ends.** With any order, with a further look (it is due four hours after the last one), or after two
days.

**What to change where.** Delay and cap: here. How often counts as often:
include/sql/triggers/browse_abandoned.sql. Words: include/templates/browse_abandonment/.

**When it waits** as `quality_gate`, what happened on the site or in the shop has not been read yet.
"""

from kreislauf.flow import Email, Flow

flow = Flow(
    trigger="browse_abandoned",
    goal="ordered",
    steps=[Email("looked", after="4 hours")],
    frequency_cap="1 per 2 weeks",
    relies_on=["shop", "site"],
)

dag = flow.dag()  # an airflow.sdk.DAG
