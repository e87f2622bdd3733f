"""Accompanies an order: thanks, what goes with it, and after delivery a request for a review.

**Who, when.** Each order begins two journeys (`triggers.order_progress`). When it is placed: two hours later
`thanks`, half of them as a letter and half with pictures of what was bought, until it is sure which is
clicked more; two weeks later `cross_sell` with three products that others bought together with it, else best
sellers (`scores.recommendations`), unless something was ordered since. When it has arrived: ten days to try
it, then `review`; two weeks later `share`, an invitation to recommend us. Where the shop does not know of
deliveries nobody is asked for a review.

**Consent.** All of it asks consent to marketing: a request for a review is advertising by German law (UWG,
paragraph 7). The confirmation of an order is the shop's own mail.

**How it ends.** With its last mail, or when the order is cancelled or sent back whole.

**What to change where.** Delays and tests: here. Words: include/templates/post_purchase/. What is offered:
include/sql/scores/recommendations.sql.
"""

from kreislauf.flow import Branch, Email, Flow, Test

THANKS = Test(plain="thanks_plain", pictures="thanks_pictures", winner="clicked")

flow = Flow(
    trigger="order_progress",
    steps=[
        Branch(
            "arrived",
            when="event = delivered",
            then=[
                Email("review", after="10 days, at their hour", expires="4 days"),
                Email("share", after="2 weeks, at their hour", expires="4 days"),
            ],
            otherwise=[
                Email("thanks", after="2 hours", template=THANKS),
                Email("cross_sell", after="2 weeks, at their hour", unless="ordered", expires="4 days"),
            ],
        ),
    ],
    relies_on=["shop"],
)

dag = flow.dag()  # an airflow.sdk.DAG
