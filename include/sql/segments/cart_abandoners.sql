-- People who left a checkout with something in it in the last 7 days and have not bought since.
-- owner: crm
-- grain: contact_id
{% set within_days = 7 %}
with checkouts as (
    select * from staging.shop_checkouts
    where completed_at is null
),

customer_keys as (
    select
        source_id,
        contact_id
    from core.contact_keys
    where source = 'shop'
),

address_keys as (
    select
        source_id,
        contact_id
    from core.contact_keys
    where source = 'mail'
),

buyers as (
    select * from core.purchase_history
),

abandoned as (
    select
        coalesce(customer_keys.contact_id, address_keys.contact_id) as contact_id,
        max(checkouts.updated_at) as left_at
    from checkouts
    left join customer_keys on checkouts.customer_id = customer_keys.source_id
    left join address_keys on checkouts.email = address_keys.source_id
    where DAYS_BETWEEN(checkouts.updated_at, {{ as_of }}) <= {{ within_days }}
    group by coalesce(customer_keys.contact_id, address_keys.contact_id)
)

select abandoned.contact_id
from abandoned
left join buyers on abandoned.contact_id = buyers.contact_id
where
    abandoned.contact_id is not null
    and (buyers.last_ordered_at is null or buyers.last_ordered_at < abandoned.left_at)
