-- Products as they can be shown in a mail, with how often each was really sold.
-- owner: data
-- grain: product_id
with products as (
    select * from staging.shop_products
),

order_items as (
    select * from core.order_items
    where is_valid
),

sales as (
    select
        product_id,
        sum(net_quantity) as sold_quantity,
        sum(net_amount) as net_amount,
        max(ordered_at) as last_sold_at
    from order_items
    group by product_id
)

select
    products.product_id,
    products.title,
    products.product_type,
    products.vendor,
    products.handle,
    products.url,
    products.image_url,
    products.unit_amount,
    products.stock_quantity,
    products.rating,
    products.rating_count,
    products.tags,
    products.status,
    -- Where stock is not counted there is always some.
    coalesce(
        products.status = 'active' and coalesce(products.stock_quantity > 0, true), false
    ) as is_available,
    cast(coalesce(sales.sold_quantity, 0) as bigint) as sold_quantity,
    cast(coalesce(sales.net_amount, 0) as decimal(18, 2)) as net_amount,
    sales.last_sold_at,
    products.created_at,
    products.updated_at
from products
left join sales on products.product_id = sales.product_id
