-- Which products known people looked at in the last 30 days, and how often.
-- answers: What did this person look at, and how often?
-- owner: crm
-- grain: contact_id, product_id
{% set within_days = 30 %}
with views as (
    select
        contact_id,
        product_id,
        occurred_at
    from core.site_touchpoints
    where
        type = 'product_view'
        and contact_id is not null
        and product_id is not null
        and occurred_at >= ADD_DAYS(cast({{ as_of }} as date), -{{ within_days }})
)

select
    contact_id,
    product_id,
    count(*) as views,
    min(occurred_at) as first_viewed_at,
    max(occurred_at) as last_viewed_at
from views
group by contact_id, product_id
