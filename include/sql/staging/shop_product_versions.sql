-- Price and stock of each product in every version that was read, each moment of change once.
-- owner: data
-- grain: product_id, updated_at
with versions as (
    select
        *,
        row_number() over (
            partition by product_id, updated_at order by _run desc, _line desc
        ) as recency
    from raw.shop_products
)

select
    replace(product_id, 'gid://shopify/Product/', '') as product_id,
    updated_at,
    lower(status) as status,
    unit_amount,
    -- Where it is not counted the shop says 0.
    case when coalesce(tracks_stock, true) then stock_quantity end as stock_quantity
from versions
where recency = 1
