-- People who looked at three products or more in the last 30 days and have bought nothing in them.
-- owner: crm
-- grain: contact_id
{% set views_from = 3 %}
{% set within_days = 30 %}
with views as (
    select
        contact_id,
        product_id
    from core.touchpoints
    where
        type = 'product_view'
        and contact_id is not null
        and DAYS_BETWEEN(occurred_at, {{ as_of }}) <= {{ within_days }}
),

buyers as (
    select * from core.purchase_history
    where days_since_last <= {{ within_days }}
),

looked as (
    select contact_id
    from views
    group by contact_id
    having count(distinct product_id) >= {{ views_from }}
)

select looked.contact_id
from looked
where
    not exists (
        select 1 from buyers
        where buyers.contact_id = looked.contact_id
    )
