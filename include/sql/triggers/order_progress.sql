-- An order was placed, and later it has arrived: an occurrence each. With three products that go
-- with it (scores.recommendations: bought together, else best sellers).
-- owner: crm
-- grain: occurrence_id
{% set asked_for_days = 60 %}
with orders as (
    -- What was cancelled or sent back whole is nothing to ask about.
    select * from core.orders
    where is_valid and contact_id is not null and net_amount > 0
),

deliveries as (
    select * from core.deliveries
),

recommendations as (
    select * from scores.recommendations
),

products as (
    select * from core.products
),

offers as (
    select
        recommendations.contact_id,
        recommendations.position,
        products.title,
        products.url,
        products.image_url,
        products.unit_amount
    from recommendations
    inner join products on recommendations.product_id = products.product_id
),

progress as (
    select
        order_id,
        'placed' as event,
        ordered_at as occurred_at
    from orders
    union all
    select
        order_id,
        'delivered' as event,
        delivered_at as occurred_at
    from deliveries
)

select
    orders.contact_id,
    progress.order_id || '-' || progress.event as occurrence_id,
    progress.occurred_at,
    progress.event,
    progress.order_id,
    orders.order_name,
    orders.total_amount,
    orders.currency,
    first_offer.title as offer_1_title,
    first_offer.url as offer_1_url,
    first_offer.image_url as offer_1_image_url,
    first_offer.unit_amount as offer_1_unit_amount,
    second_offer.title as offer_2_title,
    second_offer.url as offer_2_url,
    second_offer.image_url as offer_2_image_url,
    second_offer.unit_amount as offer_2_unit_amount,
    third_offer.title as offer_3_title,
    third_offer.url as offer_3_url,
    third_offer.image_url as offer_3_image_url,
    third_offer.unit_amount as offer_3_unit_amount
from progress
inner join orders on progress.order_id = orders.order_id
left join offers as first_offer
    on orders.contact_id = first_offer.contact_id and first_offer.position = 1
left join offers as second_offer
    on orders.contact_id = second_offer.contact_id and second_offer.position = 2
left join offers as third_offer
    on orders.contact_id = third_offer.contact_id and third_offer.position = 3
where DAYS_BETWEEN(progress.occurred_at, {{ as_of }}) <= {{ asked_for_days }}
