-- Order lines netted with what was refunded of them; a refund without its line has a row too.
-- owner: data
-- grain: order_item_id
with order_lines as (
    select * from staging.shop_order_lines
),

refund_lines as (
    select * from staging.shop_refund_lines
),

orders as (
    select * from core.orders
),

matched as (
    select
        order_line_id,
        count(*) as refund_lines,
        sum(quantity) as quantity,
        sum(refunded_amount) as amount
    from refund_lines
    group by order_line_id
),

items as (
    select
        order_lines.order_line_id as order_item_id,
        order_lines.order_line_id,
        order_lines.order_id,
        order_lines.product_id,
        order_lines.variant_id,
        order_lines.sku,
        order_lines.title,
        coalesce(order_lines.quantity, 0) as quantity,
        order_lines.unit_amount,
        order_lines.discount_amount,
        coalesce(
            order_lines.quantity * order_lines.unit_amount - order_lines.discount_amount, 0
        ) as amount,
        coalesce(matched.refund_lines, 0) as refund_lines,
        coalesce(matched.quantity, 0) as refunded_quantity,
        coalesce(matched.amount, 0) as refunded_amount
    from order_lines
    left join matched on order_lines.order_line_id = matched.order_line_id
    union all
    select
        'refund-' || refund_lines.refund_line_id as order_item_id,
        cast(null as varchar) as order_line_id,
        refund_lines.order_id,
        cast(null as varchar) as product_id,
        cast(null as varchar) as variant_id,
        cast(null as varchar) as sku,
        cast(null as varchar) as title,
        0 as quantity,
        cast(null as decimal(18, 2)) as unit_amount,
        0 as discount_amount,
        0 as amount,
        1 as refund_lines,
        coalesce(refund_lines.quantity, 0) as refunded_quantity,
        coalesce(refund_lines.refunded_amount, 0) as refunded_amount
    from refund_lines
    left join order_lines on refund_lines.order_line_id = order_lines.order_line_id
    where order_lines.order_line_id is null
)

select
    items.order_item_id,
    items.order_line_id,
    items.order_id,
    orders.contact_id,
    orders.ordered_at,
    orders.is_valid,
    items.product_id,
    items.variant_id,
    items.sku,
    items.title,
    items.unit_amount,
    cast(items.quantity as bigint) as quantity,
    cast(items.discount_amount as decimal(18, 2)) as discount_amount,
    cast(items.amount as decimal(18, 2)) as amount,
    cast(items.refund_lines as bigint) as refund_lines,
    cast(items.refunded_quantity as bigint) as refunded_quantity,
    cast(items.refunded_amount as decimal(18, 2)) as refunded_amount,
    cast(items.quantity - items.refunded_quantity as bigint) as net_quantity,
    cast(items.amount - items.refunded_amount as decimal(18, 2)) as net_amount
from items
left join orders on items.order_id = orders.order_id
