-- The shop's own totals, counted again in the warehouse: nothing got lost or doubled on the way.
-- answers: Did everything the shop has arrive in the warehouse?
-- owner: data
-- grain: metric
with shop_customers as (
    select * from staging.shop_customers
),

orders as (
    select * from core.orders
),

order_items as (
    select * from core.order_items
),

refunds as (
    select * from staging.shop_refunds
),

counted as (
    select
        'customers' as metric,
        cast(count(*) as decimal(18, 2)) as value
    from shop_customers
    union all
    select
        'orders_with_lines' as metric,
        cast(count(distinct order_id) as decimal(18, 2)) as value
    from order_items
    where order_line_id is not null
    union all
    -- A cancellation is an invoice of its own, and its number begins with C.
    select
        'cancellations' as metric,
        cast(count(*) as decimal(18, 2)) as value
    from refunds
    where note like 'C%'
    union all
    select
        'order_lines' as metric,
        cast(count(*) as decimal(18, 2)) as value
    from order_items
    where order_line_id is not null
    union all
    select
        'refund_lines' as metric,
        cast(coalesce(sum(refund_lines), 0) as decimal(18, 2)) as value
    from order_items
    union all
    select
        'orders_of_guests' as metric,
        cast(count(*) as decimal(18, 2)) as value
    from orders
    where is_guest
    union all
    select
        'gross_amount' as metric,
        cast(coalesce(sum(total_amount), 0) as decimal(18, 2)) as value
    from orders
    union all
    select
        'refunded_amount' as metric,
        cast(coalesce(sum(refunded_amount), 0) as decimal(18, 2)) as value
    from orders
    union all
    select
        'net_amount' as metric,
        cast(coalesce(sum(net_amount), 0) as decimal(18, 2)) as value
    from orders
),

combined as (
    select
        metric,
        value
    from counted
    union all
    select
        'invoices' as metric,
        sum(value) as value
    from counted
    where metric in ('orders_with_lines', 'cancellations')
    union all
    select
        'lines' as metric,
        sum(value) as value
    from counted
    where metric in ('order_lines', 'refund_lines')
)

select
    metric,
    cast(value as decimal(18, 2)) as value
from combined
