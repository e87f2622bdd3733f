-- What each person agreed to: on which channel and topic it may be written to, and on what basis.
-- answers: May we write to this person about this, on this channel?
-- owner: crm
-- grain: contact_id, channel, topic
with contacts as (
    select * from core.contacts
    where email_consent = 'granted'
),

asleep as (
    -- Who let a last attempt pass is left alone until it shows up again.
    select contact_id
    from core.audience_members
    where audience = 'sunset' and left_at is null
),

statements as (
    select
        *,
        -- At the same moment a revocation is the last word.
        row_number() over (
            partition by contact_id
            order by
                occurred_at desc,
                case when state = 'revoked' then 1 else 2 end asc,
                source asc,
                source_id asc
        ) as place
    from core.sms_consents
    -- Asking for consent is no statement.
    where state <> 'pending'
),

subscriptions as (
    select
        contact_id,
        min(created_at) as granted_at
    from core.push_subscriptions
    group by contact_id
)

select
    contact_id,
    'email' as channel,
    'marketing' as topic,
    email_consent_basis as basis,
    email_consent_at as granted_at
from contacts
where
    not exists (
        select 1 from asleep
        where asleep.contact_id = contacts.contact_id
    )
union all
select
    contact_id,
    'sms' as channel,
    'marketing' as topic,
    basis,
    occurred_at as granted_at
from statements
where place = 1 and state = 'granted'
union all
-- A browser asks before it lets anybody notify: the subscription is the consent.
select
    contact_id,
    'push' as channel,
    'marketing' as topic,
    'consent_soi' as basis,
    granted_at
from subscriptions
