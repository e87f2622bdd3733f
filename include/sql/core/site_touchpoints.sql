-- What people did on the site, and who they are: known by account, else address, else browser.
-- owner: crm
-- grain: touchpoint_id
with site_events as (
    select * from staging.site_events
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

visitor_keys as (
    select * from core.visitor_keys
)

select
    'site-' || site_events.event_id as touchpoint_id,
    site_events.occurred_at,
    site_events.event_type as type,
    coalesce(
        customer_keys.contact_id, address_keys.contact_id, visitor_keys.contact_id
    ) as contact_id,
    site_events.visitor_id,
    site_events.url,
    site_events.product_id,
    site_events.content_id,
    coalesce(site_events.topic, site_events.search_query) as topic,
    site_events.utm_source,
    site_events.utm_campaign as campaign,
    site_events.referred_by
from site_events
left join customer_keys on site_events.customer_id = customer_keys.source_id
left join address_keys on site_events.email = address_keys.source_id
left join visitor_keys on site_events.visitor_id = visitor_keys.visitor_id
