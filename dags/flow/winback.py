"""Wins lapsed buyers back: a word after half a year, then what is new, and only at the end a discount.

**Who, when.** Who has ordered nothing for half a year, or for as long as include/sql/seeds/winback_spans.csv
says for what was bought last: tea and coffee are missed sooner than a kettle (`triggers.lapsed`).
`hello_again` goes out on that day, at the hour at which the person reads; `new_products` ten days later,
with what is new since the last order; `discount` two weeks after that, with a code that is good once (pool
`winback` in include/vouchers.yaml). Each last order is one occurrence: nobody is won back twice from the
same silence. Who lapsed before the flow began is recorded as expired and gets nothing.

**How it ends.** With any order.

**What to change where.** Delays: here. Spans: include/sql/seeds/winback_spans.csv; the half year:
include/sql/triggers/lapsed.sql. Words: include/templates/winback/. The discount: in the shop.

**When `discount` waits** as `no_voucher`, no code is left in the pool: run `maintain_vouchers`.
"""

from kreislauf.flow import Email, Flow

flow = Flow(
    trigger="lapsed",
    goal="ordered",
    steps=[
        Email("hello_again", after="at once, at their hour", expires="4 days"),
        Email("new_products", after="10 days, at their hour", expires="4 days"),
        Email("discount", after="2 weeks, at their hour", expires="1 week", voucher="winback"),
    ],
    relies_on=["shop"],
)

dag = flow.dag()  # an airflow.sdk.DAG
