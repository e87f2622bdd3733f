-- People whose first purchase has its anniversary today or in the six days after.
-- owner: crm
-- grain: contact_id
{% set days = 7 %}
with buyers as (
    select * from core.purchase_history
),

period as (
    select
        cast({{ as_of }} as date) as first_day,
        ADD_DAYS(cast({{ as_of }} as date), {{ days }}) as end_day
),

numbered as (
    select
        100 * extract(month from first_day) + extract(day from first_day) as first_number,
        100 * extract(month from end_day) + extract(day from end_day) as end_number
    from period
),

anniversaries as (
    select
        contact_id,
        100 * extract(month from first_ordered_at)
        + extract(day from first_ordered_at) as number
    from buyers
    -- The purchase itself is no anniversary.
    where age_days >= {{ days }}
)

select anniversaries.contact_id
from anniversaries
cross join numbered
where
    case
        when numbered.first_number < numbered.end_number
            then
                anniversaries.number >= numbered.first_number
                and anniversaries.number < numbered.end_number
        -- Over the turn of the year.
        else
            anniversaries.number >= numbered.first_number
            or anniversaries.number < numbered.end_number
    end
