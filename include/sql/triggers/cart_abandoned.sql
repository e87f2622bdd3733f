-- A known person left a checkout with something in it and did not complete it.
-- owner: crm
-- grain: occurrence_id
with checkouts as (
    select * from staging.shop_checkouts
    where completed_at is null
),

items as (
    select * from triggers.cart_abandoned_items
),

counted as (
    select
        contact_id,
        occurrence_id,
        count(*) as item_count,
        sum(quantity) as total_quantity
    from items
    group by contact_id, occurrence_id
)

select
    counted.contact_id,
    checkouts.checkout_id as occurrence_id,
    -- The last change to the cart: who is still filling it has not left it.
    checkouts.updated_at as occurred_at,
    cast(counted.item_count as bigint) as item_count,
    cast(counted.total_quantity as bigint) as total_quantity,
    checkouts.total_amount,
    checkouts.currency,
    checkouts.url
from checkouts
inner join counted on checkouts.checkout_id = counted.occurrence_id
