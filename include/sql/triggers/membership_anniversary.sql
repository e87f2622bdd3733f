-- The day on which a person became a member comes round, where the person lives.
-- owner: crm
-- grain: contact_id, occurrence_id
with anniversaries as (
    select * from core.anniversaries
    where kind = 'member_since'
)

select
    contact_id,
    cast(cast(extract(year from day) as bigint) as varchar) as occurrence_id,
    starts_at as occurred_at,
    years
from anniversaries
