"""Tells people that a product they wanted has become cheaper, or can be had again.

**Who.** Whoever wished for a product, left it in a cart or looked at it more than once, and has not bought it
since (`triggers.wanted_product_changed`). Once a person and change: the same price again is no news, the next
change is.

**What.** A mail about the lower price, with the lowest price of the 30 days before as the one compared with,
as the law asks (PAngV, section 11). Or that the product is back, on every channel that the person has agreed
to: mail, notification, text message; it may be sold out again by the evening.

**How it ends.** With that. Sold out again, dearer again, or bought meanwhile: nothing is sent, for the
trigger asks what holds now. At most one of these messages in three days on a channel, the youngest change
first; what has waited for two days is not news any more.

**What to change where.** How much cheaper counts, and how long a wish, a cart and a look count: the top of
the trigger. Texts: include/templates/price_drop_back_in_stock/.
"""

from kreislauf.flow import Branch, Email, Flow, Push, Sms, Together

flow = Flow(
    trigger="wanted_product_changed",
    steps=[
        Branch(
            "change",
            when="kind = price_drop",
            then=[Email("cheaper")],
            otherwise=[Together(Email("back"), Push("back_note"), Sms("back_text"))],
        ),
    ],
    relies_on=["shop", "site"],
    frequency_cap="1 per 3 days",
)

dag = flow.dag()  # an airflow.sdk.DAG
