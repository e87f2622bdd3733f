-- A person begins to receive marketing mail: gives consent, or gives it again after a revocation.
-- With what fits it: something to read by its persona, and what sells best of what it cares for.
-- owner: crm
-- grain: contact_id, occurrence_id
{% set asked_for_days = 60 %}
with subscriptions as (
    select * from core.subscriptions
    where DAYS_BETWEEN(started_at, {{ as_of }}) <= {{ asked_for_days }}
),

contents as (
    select * from audiences.next_content
    where position = 1
),

interests as (
    select
        contact_id,
        product_type
    from scores.product_affinity
    where position = 1
),

best_sellers as (
    select * from core.best_sellers
    where position = 1 or position_in_type = 1
),

products as (
    select * from core.products
),

-- Who changes his mind twice a day has subscribed once.
occurrences as (
    select
        contact_id,
        cast(cast(started_at as date) as varchar) as occurrence_id,
        min(started_at) as occurred_at
    from subscriptions
    group by contact_id, cast(cast(started_at as date) as varchar)
)

select
    occurrences.contact_id,
    occurrences.occurrence_id,
    occurrences.occurred_at,
    contents.title as content_title,
    contents.url as content_url,
    interests.product_type as interest,
    products.title as product_title,
    products.url as product_url,
    products.image_url as product_image_url,
    products.unit_amount as product_unit_amount
from occurrences
left join contents on occurrences.contact_id = contents.contact_id
left join interests on occurrences.contact_id = interests.contact_id
left join best_sellers as first_of_type
    on interests.product_type = first_of_type.product_type and first_of_type.position_in_type = 1
-- Of whom nothing is known: what most people buy.
left join best_sellers as first_of_all
    on first_of_all.position = 1 and first_of_type.product_id is null
left join products
    on coalesce(first_of_type.product_id, first_of_all.product_id) = products.product_id
