-- A person bought a product again; said of the purchase before, by its occurrence in
-- triggers.replenishment_due.
-- owner: crm
-- grain: contact_id, occurrence_id, occurred_at
{% set within_days = 90 %}
with order_items as (
    select
        contact_id,
        product_id,
        ordered_at,
        cast(ordered_at as date) as bought_on
    from core.order_items
    where
        is_valid
        and net_quantity > 0
        and contact_id is not null
        and product_id is not null
),

purchases as (
    select
        contact_id,
        product_id,
        bought_on,
        min(ordered_at) as ordered_at
    from order_items
    where DAYS_BETWEEN(ordered_at, {{ as_of }}) <= {{ within_days }}
    group by contact_id, product_id, bought_on
),

before as (
    select
        purchases.contact_id,
        purchases.product_id,
        purchases.ordered_at,
        max(order_items.bought_on) as bought_on
    from purchases
    inner join order_items
        on
            purchases.contact_id = order_items.contact_id
            and purchases.product_id = order_items.product_id
            and purchases.bought_on > order_items.bought_on
    group by purchases.contact_id, purchases.product_id, purchases.ordered_at
)

select
    contact_id,
    product_id || '-' || cast(bought_on as varchar) as occurrence_id,
    ordered_at as occurred_at
from before
