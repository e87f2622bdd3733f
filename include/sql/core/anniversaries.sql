-- When dates of a person come round, in the two weeks before as_of and the day after. The 29th of
-- February is kept on the 28th in years that have none.
-- answers: Whose birthday is it, where that person lives? Who has been a member for how long?
-- owner: crm
-- grain: contact_id, kind, day
{% set days_back = 14 %}
with dates as (
    select * from core.dates
    where kind in ('birthday', 'member_since')
),

contacts as (
    select
        contact_id,
        timezone
    from core.contacts
    where not is_archived
),

local_days as (
    select * from core.local_days
    where DAYS_BETWEEN(day, {{ as_of }}) <= {{ days_back }}
),

numbered_days as (
    select
        timezone,
        day,
        starts_at,
        extract(year from day) as year,
        100 * extract(month from day) + extract(day from day) as number
    from local_days
),

kept_days as (
    select * from numbered_days
    union all
    select
        timezone,
        day,
        starts_at,
        year,
        229 as number
    from numbered_days
    where number = 228 and extract(day from ADD_DAYS(day, 1)) = 1
),

numbered_dates as (
    select
        contact_id,
        kind,
        extract(year from on_date) as year,
        100 * extract(month from on_date) + extract(day from on_date) as number
    from dates
)

select
    numbered_dates.contact_id,
    numbered_dates.kind,
    kept_days.day,
    kept_days.starts_at,
    cast(kept_days.year - numbered_dates.year as bigint) as years
from numbered_dates
inner join contacts on numbered_dates.contact_id = contacts.contact_id
inner join kept_days
    on
        contacts.timezone = kept_days.timezone
        and numbered_dates.number = kept_days.number
        and numbered_dates.year < kept_days.year
