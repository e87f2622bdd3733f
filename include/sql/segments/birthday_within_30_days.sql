-- People whose birthday is today or in the 29 days after; the 29th of February is kept on the
-- 28th in years that have none.
-- owner: crm
-- grain: contact_id
{% set days = 30 %}
with contacts as (
    select * from core.contacts
    where not is_archived
),

period as (
    select
        cast({{ as_of }} as date) as first_day,
        -- The day after the last one: so the 29th of February belongs to the 28th.
        ADD_DAYS(cast({{ as_of }} as date), {{ days }}) as end_day
),

numbered as (
    select
        100 * extract(month from first_day) + extract(day from first_day) as first_number,
        100 * extract(month from end_day) + extract(day from end_day) as end_number
    from period
),

birthdays as (
    select
        contact_id,
        100 * extract(month from date_of_birth) + extract(day from date_of_birth) as number
    from contacts
)

select birthdays.contact_id
from birthdays
cross join numbered
where
    case
        when numbered.first_number < numbered.end_number
            then
                birthdays.number >= numbered.first_number
                and birthdays.number < numbered.end_number
        -- Over the turn of the year.
        else
            birthdays.number >= numbered.first_number
            or birthdays.number < numbered.end_number
    end
