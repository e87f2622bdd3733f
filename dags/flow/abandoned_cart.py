"""Reminds people of a cart they left: its very products with pictures and ratings; an offer only at the end.

**Who, when.** A known person leaves a checkout with something in it (`triggers.cart_abandoned`). The
reminder goes out after one hour or after four: half of the people each, until it is sure which brings more
orders; from then on everybody new gets the better one. A cart of 150 or more is thought over longer: its
reminder waits a day, outside of the test. Four hours later whoever has not clicked gets a notification in
the browser, if it takes them; a day later `last_call` with a code of its own (pool `cart` in
include/vouchers.yaml) goes to those who clicked nothing. Who came back to the cart decides without a
discount.

**How it ends.** With any order, or when the cart is completed or emptied.

**What to change where.** The limit, the delays, the test: here. Words: include/templates/abandoned_cart/.
What counts as a cart: include/sql/triggers/cart_abandoned.sql. It is in the class `cart` of
include/policy.yaml, so other flows' mails do not hold it back.

**When steps wait** as `quality_gate`, the shop's data is older than their moment: look at `ingest_shop`. As
`no_voucher`: run `maintain_vouchers`.
"""

from kreislauf.flow import Branch, Email, Flow, Push, Test

flow = Flow(
    trigger="cart_abandoned",
    goal="ordered",
    priority="cart",
    steps=[
        Branch(
            "expensive",
            when="total_amount >= 150",
            then=[Email("reminder_later", after="1 day", template="reminder")],
            otherwise=[Email("reminder", after=Test(short="1 hour", long="4 hours", winner="ordered"))],
        ),
        Push("nudge", after="4 hours", unless="clicked previous"),
        Email("last_call", after="1 day", unless="clicked any", voucher="cart"),
    ],
    relies_on=["shop", "mail"],
)

dag = flow.dag()  # an airflow.sdk.DAG
