-- What lies in the carts that known people did not complete, with picture and link, in the cart's
-- order.
-- owner: crm
-- grain: contact_id, occurrence_id, position
with carts as (
    select * from core.open_carts
),

checkout_lines as (
    select * from staging.shop_checkout_lines
    where quantity > 0
),

products as (
    select
        *,
        cast(floor(least(rating, 5) + 0.5) as integer) as star_count
    from core.products
)

select
    carts.contact_id,
    carts.checkout_id as occurrence_id,
    cast(
        row_number() over (
            partition by carts.checkout_id
            order by checkout_lines.position, checkout_lines.checkout_line_id
        ) as bigint
    ) as position,
    checkout_lines.product_id,
    coalesce(checkout_lines.title, products.title) as title,
    -- The variant's own picture first; else the product's.
    coalesce(checkout_lines.image_url, products.image_url) as image_url,
    products.url,
    coalesce(checkout_lines.unit_amount, products.unit_amount) as unit_amount,
    checkout_lines.quantity,
    -- Such as ★★★★☆ (12): it reads the same in every language.
    case
        when products.rating_count > 0
            then
                left('★★★★★', products.star_count)
                || left('☆☆☆☆☆', 5 - products.star_count)
                || ' (' || cast(products.rating_count as varchar) || ')'
    end as stars
from carts
inner join checkout_lines on carts.checkout_id = checkout_lines.checkout_id
left join products on checkout_lines.product_id = products.product_id
