"""Reminds people to restock before a consumable runs out, and ends when they buy that product again.

**Who, when.** A week before what somebody bought is used up (`triggers.replenishment_due`): by the person's
own interval for this product after three purchases or more, else by the median of all who bought it again,
in either case times the pieces bought last (`scores.replenishment`). `reminder` goes out at the hour at
which the person reads; `last_cup` a week later, when the tin should be empty. Several products that run out
together come one a week.

**How it ends.** When the same product is bought again (`conditions.bought_again`); other orders do not end
it. The purchase begins a new occurrence, with a new date.

**What to change where.** Delays and cap: here. Days before, shortest interval:
include/sql/triggers/replenishment_due.sql. What is a consumable: the tag `consumable` in the shop. Words:
include/templates/replenishment/.
"""

from kreislauf.flow import Email, Flow

flow = Flow(
    trigger="replenishment_due",
    goal="bought_again",
    steps=[
        Email("reminder", after="at once, at their hour", expires="5 days"),
        Email("last_cup", after="1 week, at their hour", expires="5 days"),
    ],
    frequency_cap="1 per 6 days",
    relies_on=["shop"],
)

dag = flow.dag()  # an airflow.sdk.DAG
