-- Browsers that were on the site, who each belongs to if anybody was recognised in it, and when.
-- answers: When was this visitor last on the site? Since when is it known who it is?
-- owner: data
-- grain: visitor_id
with site_events as (
    select
        visitor_id,
        customer_id,
        email,
        occurred_at
    from staging.site_events
    where visitor_id is not null
),

visitor_keys as (
    select * from core.visitor_keys
),

seen as (
    select
        visitor_id,
        min(occurred_at) as first_seen_at,
        max(occurred_at) as last_seen_at,
        -- Logged in, or gave the address.
        min(
            case when customer_id is not null or email is not null then occurred_at end
        ) as recognised_at
    from site_events
    group by visitor_id
)

select
    seen.visitor_id,
    visitor_keys.contact_id,
    seen.first_seen_at,
    seen.last_seen_at,
    seen.recognised_at
from seen
left join visitor_keys on seen.visitor_id = visitor_keys.visitor_id
