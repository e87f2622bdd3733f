-- Contacts whose address the provider called undeliverable for good: one hard bounce is enough.
-- owner: crm
-- grain: contact_id
with mail_events as (
    select * from staging.mail_events
    where event_type = 'hard_bounce'
),

contacts as (
    select * from core.contacts
),

suppressions as (
    select * from staging.ledger_suppressions
    where channel in ('email', 'all')
)

select
    contacts.contact_id,
    contacts.email,
    'hard_bounce' as reason,
    'hard bounce on ' || cast(cast(max(mail_events.occurred_at) as date) as varchar) as evidence
from contacts
inner join mail_events on contacts.email = mail_events.email
where
    not exists (
        select 1 from suppressions
        where
            suppressions.email = contacts.email
            and suppressions.reason = 'hard_bounce'
            -- What was lifted counts again once there is newer evidence.
            and (suppressions.is_active or suppressions.lifted_at >= mail_events.occurred_at)
    )
group by contacts.contact_id, contacts.email
