-- Something new concerns a person: a store or an event where it lives, or a release of a kind of
-- product it owns. What an announcement names (country, city, zip, product type) must all fit.
-- owner: crm
-- grain: contact_id, occurrence_id
{% set days_back = 7 %}
with announcements as (
    select * from core.announcements
    where
        -- What concerns everybody belongs into the newsletter.
        coalesce(country, city, zip_prefix, product_type) is not null
        and (
            DAYS_BETWEEN(announced_at, {{ as_of }}) <= {{ days_back }}
            -- Who was invited long before is still to be reminded.
            or (kind <> 'release' and starts_at > {{ as_of }})
        )
        -- An event is over once it has begun; a release stays one.
        and (kind = 'release' or starts_at is null or starts_at > {{ as_of }})
),

contacts as (
    select
        contact_id,
        country_code,
        city,
        zip
    from core.contacts
    where not is_archived
),

order_items as (
    select
        contact_id,
        product_id
    from core.order_items
    where is_valid and net_quantity > 0
),

products as (
    select
        product_id,
        product_type
    from core.products
),

announced_types as (
    select distinct product_type
    from announcements
),

owned_types as (
    select distinct
        order_items.contact_id,
        products.product_type
    from order_items
    inner join products on order_items.product_id = products.product_id
    inner join announced_types on products.product_type = announced_types.product_type
)

select
    contacts.contact_id,
    announcements.announcement_id as occurrence_id,
    announcements.announced_at as occurred_at,
    announcements.kind,
    announcements.title,
    announcements.description,
    announcements.city,
    announcements.starts_at,
    cast(floor(RATIO(SECONDS_BETWEEN({{ as_of }}, announcements.starts_at), 3600)) as bigint)
        as hours_left,
    announcements.url,
    announcements.image_url
from announcements
inner join contacts
    on
        (announcements.country is null or announcements.country = contacts.country_code)
        and (announcements.city is null or announcements.city = contacts.city)
        and (
            announcements.zip_prefix is null
            or announcements.zip_prefix = left(contacts.zip, length(announcements.zip_prefix))
        )
left join owned_types
    on
        contacts.contact_id = owned_types.contact_id
        and announcements.product_type = owned_types.product_type
where announcements.product_type is null or owned_types.contact_id is not null
