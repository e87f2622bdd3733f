-- A person in the audience `sunset` is back: opened, clicked, visited, ordered or agreed anew.
-- owner: crm
-- grain: contact_id, occurrence_id
with members as (
    select
        contact_id,
        min(entered_at) as entered_at
    from core.audience_members
    where audience = 'sunset' and left_at is null
    group by contact_id
),

engagement as (
    select
        contact_id,
        last_engaged_at
    from scores.engagement
),

contacts as (
    select
        contact_id,
        email_consent_at
    from core.contacts
    where email_consent = 'granted'
),

signs as (
    select
        contact_id,
        last_engaged_at as occurred_at
    from engagement
    union all
    select
        contact_id,
        email_consent_at as occurred_at
    from contacts
)

select
    members.contact_id,
    cast(cast(members.entered_at as date) as varchar) as occurrence_id,
    max(signs.occurred_at) as occurred_at
from members
inner join signs on members.contact_id = signs.contact_id
where signs.occurred_at > members.entered_at
group by members.contact_id, members.entered_at
