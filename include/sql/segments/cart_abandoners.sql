-- People who left a checkout with something in it in the last 7 days and have not bought since.
-- owner: crm
-- grain: contact_id
{% set within_days = 7 %}
with checkouts as (
    select * from staging.shop_checkouts
    where completed_at is null
),

contact_keys as (
    select * from core.contact_keys
),

buyers as (
    select * from core.purchase_history
),

abandoned as (
    select
        coalesce(by_customer.contact_id, by_address.contact_id) as contact_id,
        max(checkouts.updated_at) as left_at
    from checkouts
    left join contact_keys as by_customer
        on by_customer.source = 'shop' and checkouts.customer_id = by_customer.source_id
    left join contact_keys as by_address
        on by_address.source = 'mail' and checkouts.email = by_address.source_id
    where DAYS_BETWEEN(checkouts.updated_at, {{ as_of }}) <= {{ within_days }}
    group by coalesce(by_customer.contact_id, by_address.contact_id)
)

select abandoned.contact_id
from abandoned
left join buyers on abandoned.contact_id = buyers.contact_id
where
    abandoned.contact_id is not null
    and (buyers.last_ordered_at is null or buyers.last_ordered_at < abandoned.left_at)
