-- Contacts who reported one of our mails as spam.
-- owner: crm
-- grain: contact_id
with mail_events as (
    select * from staging.mail_events
    where event_type = 'complaint'
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
    'complaint' as reason,
    'spam report on ' || cast(cast(max(mail_events.occurred_at) as date) as varchar) as evidence
from contacts
inner join mail_events on contacts.email = mail_events.email
where
    not exists (
        select 1 from suppressions
        where
            suppressions.email = contacts.email
            and suppressions.reason = 'complaint'
            -- What was lifted counts again once there is newer evidence.
            and (suppressions.is_active or suppressions.lifted_at >= mail_events.occurred_at)
    )
group by contacts.contact_id, contacts.email
