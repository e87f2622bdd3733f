-- When each person was first recognised in a browser: by logging in, or by giving the address.
-- owner: crm
-- grain: contact_id, occurred_at
with recognitions as (
    select
        visitor_id,
        occurred_at
    from staging.site_events
    where visitor_id is not null and (customer_id is not null or email is not null)
),

visitor_keys as (
    select * from core.visitor_keys
),

first_recognitions as (
    select
        visitor_id,
        min(occurred_at) as occurred_at
    from recognitions
    group by visitor_id
)

select distinct
    visitor_keys.contact_id,
    first_recognitions.occurred_at
from visitor_keys
inner join first_recognitions on visitor_keys.visitor_id = first_recognitions.visitor_id
