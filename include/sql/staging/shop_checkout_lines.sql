-- Checkout lines, of the latest version of each checkout only: what is in the cart now.
-- owner: data
-- grain: checkout_line_id
with lines as (
    select * from raw.shop_checkout_lines
),

checkouts as (
    select
        checkout_id,
        _run,
        _line
    from staging.shop_checkouts
)

select
    replace(
        lines.checkout_line_id, 'gid://shopify/AbandonedCheckoutLineItem/', ''
    ) as checkout_line_id,
    checkouts.checkout_id,
    nullif(replace(lines.product_id, 'gid://shopify/Product/', ''), '') as product_id,
    nullif(replace(lines.variant_id, 'gid://shopify/ProductVariant/', ''), '') as variant_id,
    lines.title,
    lines.quantity,
    lines.unit_amount,
    lines.image_url,
    lines._child as position
from lines
inner join checkouts
    on
        lines._run = checkouts._run
        and lines._line = checkouts._line
        and replace(lines.checkout_id, 'gid://shopify/AbandonedCheckout/', '')
        = checkouts.checkout_id
