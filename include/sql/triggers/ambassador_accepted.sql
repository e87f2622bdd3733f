-- A person chose to become an ambassador, by the invitation or the form, and is none yet.
-- owner: crm
-- grain: contact_id, occurrence_id
with acceptances as (
    select * from conditions.accepted_ambassadorship
),

members as (
    select * from core.audience_members
    where audience = 'ambassadors' and left_at is null
)

-- Once a year: who has left does not come back by an old mail.
select
    acceptances.contact_id,
    cast(cast(extract(year from acceptances.occurred_at) as bigint) as varchar) as occurrence_id,
    min(acceptances.occurred_at) as occurred_at
from acceptances
left join members
    on
        acceptances.contact_id = members.contact_id
        and acceptances.occurred_at > members.entered_at
where members.contact_id is null
group by acceptances.contact_id, extract(year from acceptances.occurred_at)
