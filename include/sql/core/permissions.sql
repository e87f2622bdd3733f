-- What each person agreed to: on which channel and topic it may be written to, and on what basis.
-- answers: May we write to this person about this, on this channel?
-- owner: crm
-- grain: contact_id, channel, topic
with contacts as (
    select * from core.contacts
    where email_consent = 'granted'
)

select
    contact_id,
    'email' as channel,
    'marketing' as topic,
    email_consent_basis as basis,
    email_consent_at as granted_at
from contacts
