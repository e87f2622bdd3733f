-- Checkouts that were begun, completed ones included: the latest version of each.
-- owner: data
-- grain: checkout_id
with versions as (
    select
        *,
        row_number() over (
            partition by checkout_id order by updated_at desc, _run desc, _line desc
        ) as recency
    from raw.shop_checkouts
)

select
    replace(checkout_id, 'gid://shopify/AbandonedCheckout/', '') as checkout_id,
    created_at,
    updated_at,
    completed_at,
    nullif(replace(customer_id, 'gid://shopify/Customer/', ''), '') as customer_id,
    nullif(lower(trim(email)), '') as email,
    url,
    currency,
    total_amount,
    _run,
    _line
from versions
where recency = 1
