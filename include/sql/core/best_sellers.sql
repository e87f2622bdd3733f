-- What sells best at present, overall and within its product type, of what can be bought.
-- answers: What do most people buy? What do we show somebody of whom we know nothing?
-- owner: crm
-- grain: product_id
{% set sold_within_days = 90 %}
with order_items as (
    select
        product_id,
        order_id,
        net_quantity,
        net_amount
    from core.order_items
    where
        is_valid
        and net_quantity > 0
        and DAYS_BETWEEN(ordered_at, {{ as_of }}) <= {{ sold_within_days }}
),

products as (
    select
        product_id,
        product_type
    from core.products
    where is_available
),

sales as (
    select
        products.product_id,
        products.product_type,
        count(distinct order_items.order_id) as orders,
        sum(order_items.net_quantity) as quantity,
        sum(order_items.net_amount) as net_amount
    from order_items
    inner join products on order_items.product_id = products.product_id
    group by products.product_id, products.product_type
)

select
    product_id,
    product_type,
    -- Orders, not pieces: one bulk order makes no best seller.
    cast(
        row_number() over (order by orders desc, net_amount desc, product_id asc) as bigint
    ) as position,
    cast(
        row_number() over (
            partition by product_type order by orders desc, net_amount desc, product_id asc
        ) as bigint
    ) as position_in_type,
    cast(orders as bigint) as orders,
    cast(quantity as bigint) as quantity,
    cast(net_amount as decimal(18, 2)) as net_amount
from sales
