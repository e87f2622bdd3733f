-- Contacts who were asked to confirm their address and did not within 30 days.
-- owner: crm
-- grain: contact_id
{% set confirm_within = 30 %}
with contacts as (
    select * from core.contacts
    where email is not null and email_consent = 'pending'
),

suppressions as (
    select * from staging.ledger_suppressions
    where channel in ('email', 'all')
)

select
    contacts.contact_id,
    contacts.email,
    'never_confirmed' as reason,
    'asked on ' || cast(cast(contacts.email_consent_at as date) as varchar)
    || ', never confirmed' as evidence
from contacts
where
    DAYS_BETWEEN(contacts.email_consent_at, {{ as_of }}) > {{ confirm_within }}
    and not exists (
        select 1 from suppressions
        where
            suppressions.email = contacts.email
            and suppressions.reason = 'never_confirmed'
            -- What was lifted counts again once there is newer evidence.
            and (suppressions.is_active or suppressions.lifted_at >= contacts.email_consent_at)
    )
