-- A person's contract ends in 60 days or less: from the day on which it was 60, where it lives.
-- owner: crm
-- grain: contact_id, occurrence_id
{% set days_before = 60 %}
with dates as (
    select
        contact_id,
        on_date,
        ADD_DAYS(on_date, -{{ days_before }}) as first_day
    from core.dates
    where kind = 'contract_end'
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
)

select
    dates.contact_id,
    -- Once extended the contract has another end: this occurrence is gone, the next one is to come.
    cast(dates.on_date as varchar) as occurrence_id,
    local_days.starts_at as occurred_at,
    dates.on_date as ends_on
from dates
inner join contacts on dates.contact_id = contacts.contact_id
inner join local_days
    on contacts.timezone = local_days.timezone and dates.first_day = local_days.day
