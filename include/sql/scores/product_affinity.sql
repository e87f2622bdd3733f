-- Which product types each contact cares for: views, carts and purchases, worth less with age.
-- answers: What is each person interested in?
-- owner: crm
-- grain: contact_id, product_type
{% set half_life_days = 60 %}
{% set forgotten_after_days = 365 %}
{% set view_points = 1 %}
{% set cart_points = 3 %}
{% set purchase_points = 10 %}
with products as (
    select
        product_id,
        product_type
    from core.products
    where product_type is not null
),

touchpoints as (
    select
        contact_id,
        product_id,
        case
            when type = 'cart_add' then {{ cart_points }} else {{ view_points }}
        end as base_points,
        DAYS_BETWEEN(occurred_at, {{ as_of }}) as age_days
    from core.touchpoints
    where
        type in ('product_view', 'cart_add')
        and contact_id is not null
        and product_id is not null
        and DAYS_BETWEEN(occurred_at, {{ as_of }}) <= {{ forgotten_after_days }}
),

order_items as (
    select
        contact_id,
        product_id,
        {{ purchase_points }} as base_points,
        DAYS_BETWEEN(ordered_at, {{ as_of }}) as age_days
    from core.order_items
    where
        is_valid
        and net_quantity > 0
        and contact_id is not null
        and product_id is not null
        and DAYS_BETWEEN(ordered_at, {{ as_of }}) <= {{ forgotten_after_days }}
),

signs as (
    select * from touchpoints
    union all
    select * from order_items
),

affinities as (
    select
        signs.contact_id,
        products.product_type,
        sum(DECAY(signs.base_points, signs.age_days, {{ half_life_days }})) as score
    from signs
    inner join products on signs.product_id = products.product_id
    group by signs.contact_id, products.product_type
)

select
    contact_id,
    product_type,
    cast(score as decimal(18, 6)) as score,
    cast(
        row_number() over (
            partition by contact_id order by score desc, product_type asc
        ) as bigint
    ) as position
from affinities
