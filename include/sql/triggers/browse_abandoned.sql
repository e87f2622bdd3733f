-- A person looked at a product more than once and did not buy it: of several the one seen last,
-- each once a quarter. Who left a cart lately is reminded of that instead.
-- owner: crm
-- grain: contact_id, occurrence_id
{% set views_from = 2 %}
{% set carts_of_days = 7 %}
{% set orders_of_days = 31 %}
with product_views as (
    select * from core.product_views
    where views >= {{ views_from }}
),

products as (
    select
        *,
        cast(floor(least(rating, 5) + 0.5) as integer) as star_count
    from core.products
    where is_available and url is not null
),

order_items as (
    select
        contact_id,
        product_id,
        ordered_at
    from core.order_items
    where
        is_valid
        and contact_id is not null
        and DAYS_BETWEEN(ordered_at, {{ as_of }}) <= {{ orders_of_days }}
),

carts as (
    select contact_id from triggers.cart_abandoned
    where DAYS_BETWEEN(occurred_at, {{ as_of }}) <= {{ carts_of_days }}
),

wanted as (
    select
        product_views.contact_id,
        product_views.product_id,
        product_views.views,
        product_views.last_viewed_at,
        row_number() over (
            partition by product_views.contact_id
            order by
                product_views.last_viewed_at desc,
                product_views.views desc,
                product_views.product_id asc
        ) as place
    from product_views
    inner join products on product_views.product_id = products.product_id
    where
        not exists (
            select 1 from carts
            where carts.contact_id = product_views.contact_id
        )
        -- Who looks at it after buying it wants to know when it comes. An order after the last look
        -- ends the flow at its goal.
        and not exists (
            select 1 from order_items
            where
                order_items.contact_id = product_views.contact_id
                and order_items.product_id = product_views.product_id
                and order_items.ordered_at <= product_views.last_viewed_at
        )
)

select
    wanted.contact_id,
    wanted.product_id || '-' || cast(
        cast(date_trunc('quarter', wanted.last_viewed_at) as date) as varchar
    ) as occurrence_id,
    wanted.last_viewed_at as occurred_at,
    wanted.product_id,
    cast(wanted.views as bigint) as views,
    products.title,
    products.image_url,
    products.url,
    products.unit_amount,
    -- Such as ★★★★☆ (12): it reads the same in every language.
    case
        when products.rating_count > 0
            then
                left('★★★★★', products.star_count)
                || left('☆☆☆☆☆', 5 - products.star_count)
                || ' (' || cast(products.rating_count as varchar) || ')'
    end as stars
from wanted
inner join products on wanted.product_id = products.product_id
where wanted.place = 1
