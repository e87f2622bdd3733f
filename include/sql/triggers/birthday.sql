-- A person's birthday begins where it lives.
-- owner: crm
-- grain: contact_id, occurrence_id
with anniversaries as (
    select * from core.anniversaries
    where kind = 'birthday'
)

select
    contact_id,
    -- The year, not the day: who corrects the date has one birthday a year all the same.
    cast(cast(extract(year from day) as bigint) as varchar) as occurrence_id,
    starts_at as occurred_at,
    years as age
from anniversaries
