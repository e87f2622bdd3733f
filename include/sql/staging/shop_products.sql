-- Products: the latest version of each.
-- owner: data
-- grain: product_id
with versions as (
    select
        *,
        row_number() over (
            partition by product_id order by updated_at desc, _run desc, _line desc
        ) as recency
    from raw.shop_products
)

select
    replace(product_id, 'gid://shopify/Product/', '') as product_id,
    title,
    nullif(trim(product_type), '') as product_type,
    vendor,
    lower(status) as status,
    handle,
    created_at,
    updated_at,
    url,
    image_url,
    unit_amount,
    -- Where it is not counted the shop says 0.
    case when coalesce(tracks_stock, true) then stock_quantity end as stock_quantity,
    -- A rating is a JSON text: {"value": "4.7", …}
    cast(
        case
            when split_part(split_part(rating, '"value"', 2), '"', 2) ~ '^[0-9]([.][0-9]{1,2})?$'
                then split_part(split_part(rating, '"value"', 2), '"', 2)
        end as decimal(18, 2)
    ) as rating,
    rating_count,
    tags
from versions
where recency = 1
