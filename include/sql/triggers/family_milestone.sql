-- A pregnancy has reached a week, or a child an age in months, for which there is something to say
-- (seeds.family_tips). Who was born on the 31st turns a month older on a shorter month's last day.
-- owner: crm
-- grain: contact_id, occurrence_id
{% set days_of_pregnancy = 280 %}
{% set days_back = 14 %}
with dates as (
    select
        contact_id,
        on_date
    from core.dates
    where kind = 'baby_due'
),

contacts as (
    select
        contact_id,
        timezone,
        language
    from core.contacts
    where not is_archived
),

local_days as (
    select
        *,
        extract(day from day) as day_of_month,
        extract(day from ADD_DAYS(day, 1)) = 1 as is_last_of_month
    from core.local_days
    where DAYS_BETWEEN(day, {{ as_of }}) <= {{ days_back }}
),

tips as (
    select * from seeds.family_tips
),

days as (
    select
        dates.contact_id,
        dates.on_date,
        contacts.language,
        local_days.day,
        local_days.starts_at,
        {{ days_of_pregnancy }} - DAYS_BETWEEN(local_days.day, dates.on_date) as pregnant_days,
        CALENDAR_MONTHS_BETWEEN(dates.on_date, local_days.day) as months,
        local_days.day_of_month = extract(day from dates.on_date)
        or (
            local_days.is_last_of_month
            and local_days.day_of_month < extract(day from dates.on_date)
        ) as is_a_month_older
    from dates
    inner join contacts on dates.contact_id = contacts.contact_id
    inner join local_days on contacts.timezone = local_days.timezone
),

milestones as (
    select
        contact_id,
        on_date,
        language,
        starts_at,
        'pregnancy' as stage,
        cast(floor(RATIO(pregnant_days, 7)) as bigint) as number
    from days
    where day < on_date and pregnant_days % 7 = 0
    union all
    select
        contact_id,
        on_date,
        language,
        starts_at,
        'child' as stage,
        months as number
    from days
    where day > on_date and is_a_month_older
)

select
    milestones.contact_id,
    -- With the year, for the next child. A date corrected within the year tells nothing twice.
    milestones.stage
    || '-' || cast(milestones.number as varchar)
    || ':' || cast(cast(extract(year from milestones.on_date) as bigint) as varchar)
        as occurrence_id,
    milestones.starts_at as occurred_at,
    milestones.stage,
    milestones.number,
    tips.title,
    tips.text,
    tips.url
from milestones
inner join tips
    on
        milestones.stage = tips.stage
        and milestones.number = tips.number
        and milestones.language = tips.language
