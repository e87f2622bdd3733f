-- A visitor nobody knows stayed long on the site, or was about to leave it: once a visitor and
-- month, with what it has looked at. Recognised later, it is that person's, and stays the same.
-- owner: crm
-- grain: contact_id, occurrence_id
{% set days_back = 14 %}
{% set seconds_on_site = 120 %}
with site_events as (
    select
        event_id,
        occurred_at,
        event_type,
        visitor_id,
        product_id,
        content_id,
        seconds_on_page
    from staging.site_events
    where
        visitor_id is not null
        and DAYS_BETWEEN(occurred_at, {{ as_of }}) <= {{ days_back }}
),

visitors as (
    select
        visitor_id,
        contact_id,
        recognised_at
    from core.visitors
),

products as (
    select
        product_id,
        title,
        url,
        image_url
    from core.products
    where is_available
),

contents as (
    select * from seeds.contents
    where published_on <= cast({{ as_of }} as date)
),

unknown_visits as (
    -- From the first recognition on the browser is a person's, logged in or not.
    select site_events.*
    from site_events
    inner join visitors on site_events.visitor_id = visitors.visitor_id
    where
        visitors.recognised_at is null
        or site_events.occurred_at < visitors.recognised_at
),

days as (
    select
        visitor_id,
        event_id,
        event_type,
        occurred_at,
        date_trunc('month', occurred_at) as month,
        sum(seconds_on_page) over (
            partition by visitor_id, cast(occurred_at as date)
            order by occurred_at, event_id
            rows between unbounded preceding and current row
        ) as seconds
    from unknown_visits
),

moments as (
    select
        visitor_id,
        month,
        occurred_at,
        case
            when event_type = 'exit_intent' then 'exit_intent' else 'time_on_site'
        end as because,
        row_number() over (
            partition by visitor_id, month order by occurred_at, event_id
        ) as place
    from days
    where event_type = 'exit_intent' or seconds >= {{ seconds_on_site }}
),

lingered as (
    select
        visitor_id,
        month,
        occurred_at,
        because
    from moments
    where place = 1
),

lingerers as (
    select distinct visitor_id
    from lingered
),

seen_products as (
    select
        unknown_visits.visitor_id,
        unknown_visits.product_id,
        count(*) as views,
        max(unknown_visits.occurred_at) as last_seen_at
    from unknown_visits
    inner join lingerers on unknown_visits.visitor_id = lingerers.visitor_id
    group by unknown_visits.visitor_id, unknown_visits.product_id
),

ranked_products as (
    select
        seen_products.visitor_id,
        products.title,
        products.url,
        products.image_url,
        row_number() over (
            partition by seen_products.visitor_id
            order by
                seen_products.views desc, seen_products.last_seen_at desc, products.product_id asc
        ) as place
    from seen_products
    inner join products on seen_products.product_id = products.product_id
),

contents_read as (
    select
        unknown_visits.visitor_id,
        contents.content_id,
        contents.topic,
        contents.language,
        max(unknown_visits.occurred_at) as last_read_at
    from unknown_visits
    inner join lingerers on unknown_visits.visitor_id = lingerers.visitor_id
    inner join contents on unknown_visits.content_id = contents.content_id
    group by
        unknown_visits.visitor_id, contents.content_id, contents.topic, contents.language
),

ranked_reads as (
    select
        *,
        row_number() over (
            partition by visitor_id order by last_read_at desc, content_id asc
        ) as place
    from contents_read
),

last_reads as (
    select
        visitor_id,
        topic,
        language
    from ranked_reads
    where place = 1
),

ranked_contents as (
    -- The newest they have not read, on what they read about last.
    select
        last_reads.visitor_id,
        contents.title,
        contents.url,
        row_number() over (
            partition by last_reads.visitor_id
            order by contents.published_on desc, contents.content_id asc
        ) as place
    from last_reads
    inner join contents
        on last_reads.topic = contents.topic and last_reads.language = contents.language
    left join contents_read
        on
            last_reads.visitor_id = contents_read.visitor_id
            and contents.content_id = contents_read.content_id
    where contents_read.content_id is null
)

select
    coalesce(visitors.contact_id, lingered.visitor_id) as contact_id,
    lingered.visitor_id || ':' || cast(cast(lingered.month as date) as varchar) as occurrence_id,
    lingered.occurred_at,
    lingered.visitor_id,
    lingered.because,
    last_reads.topic,
    last_reads.language,
    ranked_contents.title as content_title,
    ranked_contents.url as content_url,
    ranked_products.title as product_title,
    ranked_products.url as product_url,
    ranked_products.image_url as product_image_url
from lingered
inner join visitors on lingered.visitor_id = visitors.visitor_id
left join last_reads on lingered.visitor_id = last_reads.visitor_id
left join ranked_contents
    on lingered.visitor_id = ranked_contents.visitor_id and ranked_contents.place = 1
left join ranked_products
    on lingered.visitor_id = ranked_products.visitor_id and ranked_products.place = 1
