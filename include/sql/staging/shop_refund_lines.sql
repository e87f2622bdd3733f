-- Refund lines, of the latest version of each refund only.
-- owner: data
-- grain: refund_line_id
with lines as (
    select * from raw.shop_refund_lines
),

refunds as (
    select
        refund_id,
        order_id,
        _run,
        _line
    from staging.shop_refunds
)

select
    replace(lines.refund_line_id, 'gid://shopify/RefundLineItem/', '') as refund_line_id,
    refunds.refund_id,
    refunds.order_id,
    nullif(replace(lines.order_line_id, 'gid://shopify/LineItem/', ''), '') as order_line_id,
    lines.quantity,
    lines.refunded_amount
from lines
inner join refunds
    on
        lines._run = refunds._run
        and lines._line = refunds._line
        and replace(lines.refund_id, 'gid://shopify/Refund/', '') = refunds.refund_id
