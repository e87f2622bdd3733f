-- Contacts who revoked their consent in the shop or the CRM, so that the ledger knows it too.
-- owner: crm
-- grain: contact_id
with contacts as (
    select * from core.contacts
    where email is not null and email_consent = 'revoked'
),

suppressions as (
    select * from core.suppressions
    where channel in ('email', 'all')
)

select
    contacts.contact_id,
    contacts.email,
    'opt_out' as reason,
    'opted out in the ' || contacts.email_consent_source || ' on '
    || cast(cast(contacts.email_consent_at as date) as varchar) as evidence
from contacts
where
    not exists (
        select 1 from suppressions
        where
            suppressions.email = contacts.email
            and suppressions.reason in ('opt_out', 'complaint')
    )
