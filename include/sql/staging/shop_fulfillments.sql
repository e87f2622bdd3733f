-- Parcels of shop orders, of the latest version of each order only.
-- owner: data
-- grain: fulfillment_id
with fulfillments as (
    select * from raw.shop_fulfillments
),

orders as (
    select
        order_id,
        _run,
        _line
    from staging.shop_orders
)

select
    replace(fulfillments.fulfillment_id, 'gid://shopify/Fulfillment/', '') as fulfillment_id,
    orders.order_id,
    lower(fulfillments.status) as status,
    fulfillments.created_at,
    fulfillments.delivered_at
from fulfillments
inner join orders
    on
        fulfillments._run = orders._run
        and fulfillments._line = orders._line
        and replace(fulfillments.order_id, 'gid://shopify/Order/', '') = orders.order_id
