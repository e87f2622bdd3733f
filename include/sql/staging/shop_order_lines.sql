-- Order lines, of the latest version of each order only: a line removed from an order is gone.
-- owner: data
-- grain: order_line_id
with lines as (
    select * from raw.shop_order_lines
),

orders as (
    select
        order_id,
        _run,
        _line
    from staging.shop_orders
)

select
    replace(lines.order_line_id, 'gid://shopify/LineItem/', '') as order_line_id,
    orders.order_id,
    nullif(replace(lines.product_id, 'gid://shopify/Product/', ''), '') as product_id,
    nullif(replace(lines.variant_id, 'gid://shopify/ProductVariant/', ''), '') as variant_id,
    lines.sku,
    lines.title,
    lines.quantity,
    lines.current_quantity,
    lines.unit_amount,
    cast(coalesce(lines.discount_amount, 0) as decimal(18, 2)) as discount_amount,
    lines._child as position
from lines
inner join orders
    on
        lines._run = orders._run
        and lines._line = orders._line
        and replace(lines.order_id, 'gid://shopify/Order/', '') = orders.order_id
