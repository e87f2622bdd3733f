-- Each record of a person, and the order in which those of one system count: first what is not
-- deleted, then what can be written to, then what changed last.
-- answers: Which of a person's records speaks for it?
-- owner: crm
-- grain: source, source_id
with contact_keys as (
    select
        source,
        source_id,
        contact_id
    from core.contact_keys
),

system_records as (
    select
        'shop' as source,
        customer_id as source_id,
        created_at,
        updated_at,
        is_email_valid,
        false as is_archived
    from staging.shop_customers
    union all
    select
        'crm' as source,
        crm_contact_id as source_id,
        created_at,
        updated_at,
        is_email_valid,
        -- What was deleted or merged away still identifies a person, but says nothing.
        is_archived
    from staging.crm_contacts
    union all
    select
        'mail' as source,
        email as source_id,
        first_seen_at as created_at,
        first_seen_at as updated_at,
        is_valid as is_email_valid,
        false as is_archived
    from staging.addresses
    where source = 'mail' and is_valid
)

select
    system_records.source,
    system_records.source_id,
    contact_keys.contact_id,
    system_records.is_archived,
    system_records.created_at,
    cast(
        row_number() over (
            partition by contact_keys.contact_id, system_records.source
            order by
                system_records.is_archived asc,
                system_records.is_email_valid desc,
                system_records.updated_at desc,
                system_records.source_id asc
        ) as bigint
    ) as place
from contact_keys
inner join system_records
    on
        contact_keys.source_id = system_records.source_id
        and contact_keys.source = system_records.source
