-- Refunds: the latest version of each.
-- owner: data
-- grain: refund_id
with versions as (
    select
        *,
        row_number() over (
            partition by refund_id order by updated_at desc, _run desc, _line desc
        ) as recency
    from raw.shop_refunds
)

select
    replace(refund_id, 'gid://shopify/Refund/', '') as refund_id,
    replace(order_id, 'gid://shopify/Order/', '') as order_id,
    created_at as refunded_at,
    updated_at,
    refunded_amount,
    note,
    _run,
    _line
from versions
where recency = 1
