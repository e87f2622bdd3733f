-- Suppressions that hold now, with the contact whose address it is.
-- owner: crm
-- grain: suppression_id
with suppressions as (
    select * from staging.ledger_suppressions
    where is_active
),

address_keys as (
    select
        source_id,
        contact_id
    from core.contact_keys
    where source = 'mail'
),

record_keys as (
    select
        record_id,
        contact_id
    from core.contact_keys
)

select
    suppressions.suppression_id,
    coalesce(address_keys.contact_id, record_keys.contact_id) as contact_id,
    suppressions.email,
    suppressions.channel,
    suppressions.topic,
    suppressions.reason,
    suppressions.source,
    suppressions.created_at
from suppressions
left join address_keys on suppressions.email = address_keys.source_id
-- The ledger keeps the contact_id of its day; the record may have joined an older one since.
left join record_keys on suppressions.contact_id = record_keys.record_id
