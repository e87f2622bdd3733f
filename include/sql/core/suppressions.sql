-- Suppressions that hold now, with the contact whose address it is.
-- owner: crm
-- grain: suppression_id
with suppressions as (
    select * from staging.ledger_suppressions
    where is_active
),

contact_keys as (
    select * from core.contact_keys
)

select
    suppressions.suppression_id,
    coalesce(by_address.contact_id, by_contact.contact_id) as contact_id,
    suppressions.email,
    suppressions.channel,
    suppressions.topic,
    suppressions.reason,
    suppressions.source,
    suppressions.created_at
from suppressions
left join contact_keys as by_address
    on by_address.source = 'mail' and suppressions.email = by_address.source_id
-- The ledger keeps the contact_id of its day; the record may have joined an older one since.
left join contact_keys as by_contact on suppressions.contact_id = by_contact.record_id
