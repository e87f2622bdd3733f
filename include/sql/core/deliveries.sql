-- When orders had arrived: with their last parcel. What is not known to have arrived has no row.
-- answers: When did this order arrive?
-- owner: crm
-- grain: order_id
with orders as (
    select
        order_id,
        contact_id
    from core.orders
    where
        is_valid
        and contact_id is not null
        -- The rest has no parcel yet.
        and coalesce(fulfillment_status, '') <> 'partially_fulfilled'
),

parcels as (
    select
        order_id,
        delivered_at
    from staging.shop_fulfillments
    -- A parcel that was cancelled or failed is sent again as another.
    where status = 'success'
),

arrived as (
    select
        order_id,
        max(delivered_at) as delivered_at
    from parcels
    group by order_id
    having count(*) = count(delivered_at)
)

select
    orders.order_id,
    orders.contact_id,
    arrived.delivered_at
from orders
inner join arrived on orders.order_id = arrived.order_id
