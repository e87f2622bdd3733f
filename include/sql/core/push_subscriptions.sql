-- Browsers that may be notified now, and who is reached there: a person, or a visitor nobody knows.
-- answers: Whose browser may be notified?
-- owner: crm
-- grain: subscription_id
with subscriptions as (
    select * from staging.ledger_push_subscriptions
    where revoked_at is null
),

contact_keys as (
    -- The ledger keeps the contact_id of its day; the record may have joined an older one since.
    select
        contact_id,
        record_id
    from core.contact_keys
),

visitor_keys as (
    select * from core.visitor_keys
)

select
    subscriptions.subscription_id,
    coalesce(
        contact_keys.contact_id, visitor_keys.contact_id, subscriptions.visitor_id
    ) as contact_id,
    subscriptions.created_at
from subscriptions
left join contact_keys on subscriptions.contact_id = contact_keys.record_id
left join visitor_keys on subscriptions.visitor_id = visitor_keys.visitor_id
where
    coalesce(
        contact_keys.contact_id, visitor_keys.contact_id, subscriptions.visitor_id
    ) is not null
