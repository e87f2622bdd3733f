-- What people did on the site, each event once.
-- owner: data
-- grain: event_id
with repeated as (
    -- Few events come twice; only those are put in order.
    select event_id from raw.site_events
    group by event_id
    having count(*) > 1
),

ranked as (
    select
        events.event_id,
        events._run,
        events._line,
        row_number() over (
            partition by events.event_id order by events._run, events._line
        ) as copy
    from raw.site_events as events
    inner join repeated on events.event_id = repeated.event_id
),

copies as (
    select
        event_id,
        _run,
        _line
    from ranked
    where copy > 1
)

select
    event_id,
    occurred_at,
    lower(event_type) as event_type,
    nullif(visitor_id, '') as visitor_id,
    nullif(replace(customer_id, 'gid://shopify/Customer/', ''), '') as customer_id,
    nullif(lower(trim(email)), '') as email,
    url,
    nullif(replace(product_id, 'gid://shopify/Product/', ''), '') as product_id,
    nullif(content_id, '') as content_id,
    nullif(topic, '') as topic,
    nullif(search_query, '') as search_query,
    seconds_on_page,
    nullif(replace(referred_by, 'gid://shopify/Customer/', ''), '') as referred_by,
    lower(nullif(trim(utm_source), '')) as utm_source,
    lower(nullif(trim(utm_medium), '')) as utm_medium,
    nullif(utm_campaign, '') as utm_campaign,
    nullif(utm_content, '') as utm_content
from raw.site_events as events
where not exists (
    select 1 from copies
    where
        copies.event_id = events.event_id
        and copies._run = events._run
        and copies._line = events._line
)
