-- People who let the last attempt to reach them pass: they get no marketing mail until they show up
-- again, which takes them out of the audience that the flow sunset put them into.
-- owner: crm
-- grain: contact_id
with members as (
    select contact_id
    from core.audience_members
    where audience = 'sunset' and left_at is null
)

-- Two records of one person may have entered apart.
select distinct contact_id
from members
