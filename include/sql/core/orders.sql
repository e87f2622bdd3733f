-- Orders with the person who placed them, and what was left of them after refunds.
-- owner: data
-- grain: order_id
with orders as (
    select * from staging.shop_orders
),

refunds as (
    select * from staging.shop_refunds
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

refunded as (
    select
        order_id,
        sum(refunded_amount) as refunded_amount,
        count(*) as refunds,
        max(refunded_at) as last_refunded_at
    from refunds
    group by order_id
),

amounts as (
    select
        orders.*,
        coalesce(orders.total_amount, 0) as gross_amount,
        -- Refunds arrive in a stream of their own; the order may know of one earlier.
        greatest(
            coalesce(orders.refunded_amount, 0), coalesce(refunded.refunded_amount, 0)
        ) as returned_amount,
        coalesce(refunded.refunds, 0) as refunds,
        refunded.last_refunded_at
    from orders
    left join refunded on orders.order_id = refunded.order_id
)

select
    amounts.order_id,
    amounts.order_name,
    coalesce(customer_keys.contact_id, address_keys.contact_id) as contact_id,
    amounts.customer_id,
    amounts.customer_id is null as is_guest,
    amounts.ordered_at,
    amounts.updated_at,
    amounts.cancelled_at,
    amounts.is_test,
    not amounts.is_test and amounts.cancelled_at is null as is_valid,
    amounts.currency,
    amounts.subtotal_amount,
    amounts.discount_amount,
    amounts.shipping_amount,
    amounts.tax_amount,
    cast(amounts.gross_amount as decimal(18, 2)) as total_amount,
    cast(amounts.returned_amount as decimal(18, 2)) as refunded_amount,
    cast(amounts.gross_amount - amounts.returned_amount as decimal(18, 2)) as net_amount,
    amounts.refunds,
    amounts.last_refunded_at,
    amounts.discount_codes,
    amounts.financial_status,
    amounts.fulfillment_status,
    amounts.tags
from amounts
left join customer_keys on amounts.customer_id = customer_keys.source_id
left join address_keys on amounts.email = address_keys.source_id
