"""Welcomes new subscribers: hello, who we are, a voucher of their own, and something picked for them.

**Who, when.** Everybody who consents to marketing mail (`triggers.subscribed`), once for each consent; with
double opt-in that is the confirmation. `hello` goes out at once; `story` after two days, with our social
links; `voucher` two days later to those who have not ordered by then, with a code that is good once (pool
`welcome` in include/vouchers.yaml); `for_you` three days later: something to read, by language, persona and
what was read before (`audiences.next_content`), and what sells best of what the person looked at. Who has
nothing left to read does not get it.

**How it ends.** With the last mail. An order stops only the voucher. Who subscribed before the flow began is
recorded as expired and gets nothing.

**What to change where.** Delays and order: here. Words: include/templates/welcome/. What is offered:
include/sql/triggers/subscribed.sql, include/sql/seeds/contents.csv. The discount: in the shop.

**When `voucher` waits** as `no_voucher`, no code is left in the pool: run `maintain_vouchers`.
"""

from kreislauf.flow import Email, Flow

flow = Flow(
    trigger="subscribed",
    steps=[
        Email("hello", after="at once"),
        Email("story", after="2 days, at their hour", expires="4 days"),
        Email(
            "voucher", after="2 days, at their hour", unless="ordered", voucher="welcome", expires="4 days"
        ),
        Email("for_you", after="3 days, at their hour", when="content_url is known", expires="4 days"),
    ],
    relies_on=["shop"],
)

dag = flow.dag()  # an airflow.sdk.DAG
