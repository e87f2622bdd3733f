-- People who left a checkout with something in it in the last 7 days and have not bought since.
-- owner: crm
-- grain: contact_id
{% set within_days = 7 %}
with carts as (
    select * from core.open_carts
    where DAYS_BETWEEN(updated_at, {{ as_of }}) <= {{ within_days }}
),

buyers as (
    select * from core.purchase_history
),

abandoned as (
    select
        contact_id,
        max(updated_at) as left_at
    from carts
    group by contact_id
)

select abandoned.contact_id
from abandoned
left join buyers on abandoned.contact_id = buyers.contact_id
where buyers.last_ordered_at is null or buyers.last_ordered_at < abandoned.left_at
