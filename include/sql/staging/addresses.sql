-- Every mail address a record was ever seen with; guests and visitors are known by it alone.
-- owner: data
-- grain: source, source_id, email
with shop_customers as (
    select
        replace(customer_id, 'gid://shopify/Customer/', '') as customer_id,
        lower(trim(email)) as email,
        coalesce(created_at, updated_at) as seen_at
    from raw.shop_customers
),

crm_contacts as (
    select
        crm_contact_id,
        lower(trim(email)) as email,
        -- DuckDB 2.0.0 cannot bind split_part() in a join when all values are null.
        coalesce(additional_emails, '') as additional_emails,
        created_at as seen_at
    from raw.crm_contacts
),

orders as (
    select
        customer_id,
        email,
        ordered_at
    from staging.shop_orders
),

site_events as (
    select
        email,
        occurred_at
    from staging.site_events
),

positions as (
    -- The CRM lists further addresses in one field; ten of them are read.
    select 1 as position
    union all
    select 2 as position
    union all
    select 3 as position
    union all
    select 4 as position
    union all
    select 5 as position
    union all
    select 6 as position
    union all
    select 7 as position
    union all
    select 8 as position
    union all
    select 9 as position
    union all
    select 10 as position
),

seen as (
    select
        'shop' as source,
        customer_id as source_id,
        email,
        seen_at
    from shop_customers
    union all
    select
        'crm' as source,
        crm_contact_id as source_id,
        email,
        seen_at
    from crm_contacts
    union all
    select
        'crm' as source,
        crm_contacts.crm_contact_id as source_id,
        lower(
            trim(split_part(crm_contacts.additional_emails, ';', positions.position))
        ) as email,
        crm_contacts.seen_at
    from crm_contacts
    inner join positions
        on split_part(crm_contacts.additional_emails, ';', positions.position) <> ''
    union all
    select
        'mail' as source,
        email as source_id,
        email,
        ordered_at as seen_at
    from orders
    where customer_id is null
    union all
    select
        'mail' as source,
        email as source_id,
        email,
        occurred_at as seen_at
    from site_events
)

select
    source,
    source_id,
    email,
    min(seen_at) as first_seen_at,
    email like '_%@_%.__%'
    and email not like '%@%@%'
    and email not like '% %'
    and email not like '%..%'
    and email not like '.%'
    and email not like '%.@%'
    and email not like '%@.%'
    and email not like '%.' as is_valid
from seen
where email is not null and email <> ''
group by source, source_id, email
