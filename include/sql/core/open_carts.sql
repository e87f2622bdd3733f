-- Carts of known people that are with something in them at the checkout, and not bought.
-- answers: Who left a cart behind, when, and what is it worth?
-- owner: crm
-- grain: checkout_id
with checkouts as (
    select * from staging.shop_checkouts
    where completed_at is null
),

checkout_lines as (
    select * from staging.shop_checkout_lines
    -- What was set to nothing is no longer in it.
    where quantity > 0
),

customer_keys as (
    select
        source_id,
        contact_id
    from core.contact_keys
    where source = 'shop'
),

address_keys as (
    select
        source_id,
        contact_id
    from core.contact_keys
    where source = 'mail'
),

filled as (
    select
        checkout_id,
        count(*) as item_count,
        sum(quantity) as total_quantity
    from checkout_lines
    group by checkout_id
)

select
    checkouts.checkout_id,
    -- Who is logged in counts before the address.
    coalesce(customer_keys.contact_id, address_keys.contact_id) as contact_id,
    checkouts.created_at,
    checkouts.updated_at,
    cast(filled.item_count as bigint) as item_count,
    cast(filled.total_quantity as bigint) as total_quantity,
    checkouts.total_amount,
    checkouts.currency,
    checkouts.url
from checkouts
inner join filled on checkouts.checkout_id = filled.checkout_id
left join customer_keys on checkouts.customer_id = customer_keys.source_id
left join address_keys on checkouts.email = address_keys.source_id
where coalesce(customer_keys.contact_id, address_keys.contact_id) is not null
