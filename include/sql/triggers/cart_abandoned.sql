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

contact_keys as (
    select * from core.contact_keys
),

counted as (
    select
        occurrence_id,
        count(*) as item_count,
        sum(quantity) as total_quantity
    from items
    group by occurrence_id
)

select
    coalesce(by_customer.contact_id, by_address.contact_id) as contact_id,
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
left join contact_keys as by_customer
    on by_customer.source = 'shop' and checkouts.customer_id = by_customer.source_id
left join contact_keys as by_address
    on by_address.source = 'mail' and checkouts.email = by_address.source_id
where coalesce(by_customer.contact_id, by_address.contact_id) is not null
