"""Reminds people to restock before consumables run out: one mail for all that runs out in the same week.

**Who, when.** On the Thursday before the week in which what somebody bought is used up
(`triggers.replenishment_due`): by the person's own interval for this product after three purchases or more,
else by the median of all who bought it again, in either case times the pieces bought last
(`scores.replenishment`, `scores.running_out`). `reminder` goes out at the hour at which the person reads;
`last_cup` on the Monday after that week, when all of it should be used up. Both list what has not been
bought again by then.

**How it ends.** When everything on the list has been bought again (`conditions.bought_again`); what is
bought again only leaves the list, and other orders end nothing. Each purchase begins anew, in the week in
which it will be used up.

**What to change where.** Delays and cap: here. Days before the week, shortest interval:
include/sql/scores/running_out.sql. What is a consumable: the tag `consumable` in the shop. Words:
include/templates/replenishment/.
"""

from kreislauf.flow import Email, Flow

flow = Flow(
    trigger="replenishment_due",
    goal="bought_again",
    steps=[
        Email("reminder", after="at once, at their hour", expires="5 days"),
        Email("last_cup", after="11 days since trigger, at their hour", expires="5 days"),
    ],
    frequency_cap="1 per 2 days",
    relies_on=["shop"],
)

dag = flow.dag()  # an airflow.sdk.DAG
