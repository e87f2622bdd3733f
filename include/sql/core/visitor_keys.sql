-- Which person a browser belongs to: the one who was recognised in it. Who was never recognised,
-- and a browser that two people used, has no row.
-- answers: Who is this visitor of the site?
-- owner: data
-- grain: visitor_id
with site_events as (
    -- Who was seen in which browser, once.
    select distinct
        visitor_id,
        customer_id,
        email
    from staging.site_events
    where visitor_id is not null and (customer_id is not null or email is not null)
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

visits as (
    select
        site_events.visitor_id,
        coalesce(customer_keys.contact_id, address_keys.contact_id) as contact_id
    from site_events
    left join customer_keys on site_events.customer_id = customer_keys.source_id
    left join address_keys on site_events.email = address_keys.source_id
)

select
    visitor_id,
    min(contact_id) as contact_id
from visits
where contact_id is not null
group by visitor_id
having min(contact_id) = max(contact_id)
