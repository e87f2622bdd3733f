-- Messages with the person each was for, under the contact_id that person has now.
-- owner: crm
-- grain: message_key
with messages as (
    select * from staging.ledger_messages
),

contact_keys as (
    select
        record_id,
        contact_id
    from core.contact_keys
),

visitor_keys as (
    select * from core.visitor_keys
)

select
    messages.message_key,
    messages.flow,
    messages.step,
    messages.variant,
    messages.channel,
    coalesce(contact_keys.contact_id, visitor_keys.contact_id) as contact_id,
    messages.occurrence_id,
    messages.state,
    messages.planned_as_of,
    messages.send_at
from messages
-- The ledger keeps the contact_id of its day; the record may have joined an older one since.
left join contact_keys on messages.contact_id = contact_keys.record_id
-- Or it was shown to a visitor of the site who is known by now.
left join visitor_keys on messages.contact_id = visitor_keys.visitor_id
