-- Shop orders: the latest version of each.
-- owner: data
-- grain: order_id
with versions as (
    select
        *,
        row_number() over (
            partition by order_id order by updated_at desc, _run desc, _line desc
        ) as recency
    from raw.shop_orders
)

select
    replace(order_id, 'gid://shopify/Order/', '') as order_id,
    order_name,
    nullif(replace(customer_id, 'gid://shopify/Customer/', ''), '') as customer_id,
    nullif(lower(trim(email)), '') as email,
    created_at,
    coalesce(processed_at, created_at) as ordered_at,
    updated_at,
    cancelled_at,
    coalesce(is_test, false) as is_test,
    currency,
    subtotal_amount,
    discount_amount,
    shipping_amount,
    tax_amount,
    total_amount,
    refunded_amount,
    discount_codes,
    lower(financial_status) as financial_status,
    lower(fulfillment_status) as fulfillment_status,
    tags,
    _run,
    _line
from versions
where recency = 1
