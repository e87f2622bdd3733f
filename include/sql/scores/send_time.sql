-- When each contact is most likely to look: the hour and weekday (1 is Monday) of its own opens,
-- clicks and visits, on its own clock; without enough of them those of all, else a default.
-- answers: When does each contact read?
-- owner: crm
-- grain: contact_id
{% set seen_within = 365 %}
{% set person_from = 5 %}
{% set audience_from = 100 %}
{% set default_hour = 10 %}
{% set default_weekday = 2 %}
with contacts as (
    select
        contact_id,
        timezone
    from core.contacts
    where not is_archived
),

timezone_offsets as (
    select * from core.timezone_offsets
),

touchpoints as (
    select
        contact_id,
        occurred_at
    from core.touchpoints
    where
        contact_id is not null
        and not is_machine
        and (channel = 'site' or type in ('open', 'click'))
        and DAYS_BETWEEN(occurred_at, {{ as_of }}) <= {{ seen_within }}
),

looks as (
    -- A long visit is one look, not twenty.
    select
        contact_id,
        min(occurred_at) as looked_at
    from touchpoints
    group by contact_id, date_trunc('hour', occurred_at)
),

local_looks as (
    select
        looks.contact_id,
        -- Minutes since a Monday, on the wall clock.
        DAYS_BETWEEN(date '2000-01-03', looks.looked_at) * 1440
        + cast(extract(hour from looks.looked_at) as bigint) * 60
        + cast(extract(minute from looks.looked_at) as bigint)
        + timezone_offsets.offset_minutes as wall_minute
    from looks
    inner join contacts on looks.contact_id = contacts.contact_id
    inner join timezone_offsets
        on
            contacts.timezone = timezone_offsets.timezone
            and looks.looked_at >= timezone_offsets.valid_from
            and looks.looked_at < timezone_offsets.valid_to
),

placed as (
    select
        contact_id,
        cast(floor(RATIO(wall_minute % 1440, 60)) as bigint) as hour,
        cast(floor(RATIO(wall_minute % 10080, 1440)) as bigint) + 1 as weekday
    from local_looks
),

hours as (
    select
        contact_id,
        hour,
        count(*) as looks
    from placed
    group by contact_id, hour
),

weekdays as (
    select
        contact_id,
        weekday,
        count(*) as looks
    from placed
    group by contact_id, weekday
),

-- The contact without a name is the audience: in it each person counts once an hour and weekday.
all_hours as (
    select
        contact_id,
        hour,
        looks
    from hours
    union all
    select
        '' as contact_id,
        hour,
        count(*) as looks
    from hours
    group by hour
),

all_weekdays as (
    select
        contact_id,
        weekday,
        looks
    from weekdays
    union all
    select
        '' as contact_id,
        weekday,
        count(*) as looks
    from weekdays
    group by weekday
),

enough as (
    select
        contact_id,
        sum(looks) as looks
    from all_hours
    group by contact_id
    having
        sum(looks) >= case
            when contact_id = '' then {{ audience_from }} else {{ person_from }}
        end
),

neighbours as (
    -- Nine and eleven speak for ten, too, half as loud.
    select
        23 as shift,
        1 as weight
    union all
    select
        24 as shift,
        2 as weight
    union all
    select
        25 as shift,
        1 as weight
),

smoothed as (
    select
        all_hours.contact_id,
        (all_hours.hour + neighbours.shift) % 24 as hour,
        sum(all_hours.looks * neighbours.weight) as weight
    from all_hours
    inner join enough on all_hours.contact_id = enough.contact_id
    cross join neighbours
    group by all_hours.contact_id, (all_hours.hour + neighbours.shift) % 24
),

best_hours as (
    -- Of equal hours the earliest: weight and hour in one number.
    select
        contact_id,
        max(weight * 24 + 23 - hour) as best
    from smoothed
    group by contact_id
),

best_weekdays as (
    select
        contact_id,
        max(looks * 7 + 7 - weekday) as best
    from all_weekdays
    group by contact_id
),

best_times as (
    select
        enough.contact_id,
        23 - best_hours.best % 24 as local_hour,
        7 - best_weekdays.best % 7 as local_weekday,
        -- 1 when all looks fell into this hour.
        RATIO(best_hours.best - best_hours.best % 24, 48 * enough.looks) as score
    from enough
    inner join best_hours on enough.contact_id = best_hours.contact_id
    inner join best_weekdays on enough.contact_id = best_weekdays.contact_id
),

audience as (
    select * from best_times
    where contact_id = ''
)

select
    contacts.contact_id,
    cast(coalesce(best_times.score, audience.score, 0) as decimal(18, 6)) as score,
    cast(
        coalesce(best_times.local_hour, audience.local_hour, {{ default_hour }}) as bigint
    ) as local_hour,
    cast(
        coalesce(best_times.local_weekday, audience.local_weekday, {{ default_weekday }}) as bigint
    ) as local_weekday,
    case
        when best_times.contact_id is not null then 'person'
        when audience.contact_id is not null then 'audience'
        else 'default'
    end as basis
from contacts
left join best_times on contacts.contact_id = best_times.contact_id
left join audience on audience.contact_id = ''
