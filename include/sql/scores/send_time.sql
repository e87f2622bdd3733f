-- When each contact is most likely to look: the hour and weekday (1 is Monday) of its own opens,
-- clicks and visits, on its own clock; without enough of them those of all, else a default.
-- answers: When does each contact read?
-- owner: crm
-- grain: contact_id
{% set person_from = 5 %}
with contacts as (
    select contact_id
    from core.contacts
    where not is_archived
),

look_hours as (
    select * from core.look_hours
),

audience as (
    select * from core.audience_send_time
),

enough as (
    select
        contact_id,
        sum(looks) as looks
    from look_hours
    group by contact_id
    having sum(looks) >= {{ person_from }}
),

own_looks as (
    select
        look_hours.contact_id,
        look_hours.hour,
        look_hours.weekday,
        look_hours.looks
    from look_hours
    inner join enough on look_hours.contact_id = enough.contact_id
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
        own_looks.contact_id,
        (own_looks.hour + neighbours.shift) % 24 as hour,
        sum(own_looks.looks * neighbours.weight) as weight
    from own_looks
    cross join neighbours
    group by own_looks.contact_id, (own_looks.hour + neighbours.shift) % 24
),

best_hours as (
    -- Of equal hours the earliest: weight and hour in one number.
    select
        contact_id,
        max(weight * 24 + 23 - hour) as best
    from smoothed
    group by contact_id
),

weekdays as (
    select
        contact_id,
        weekday,
        sum(looks) as looks
    from own_looks
    group by contact_id, weekday
),

best_weekdays as (
    select
        contact_id,
        max(looks * 7 + 7 - weekday) as best
    from weekdays
    group by contact_id
),

own_times as (
    select
        enough.contact_id,
        23 - best_hours.best % 24 as local_hour,
        7 - best_weekdays.best % 7 as local_weekday,
        -- 1 when all looks fell into this hour.
        RATIO(best_hours.best - best_hours.best % 24, 48 * enough.looks) as score
    from enough
    inner join best_hours on enough.contact_id = best_hours.contact_id
    inner join best_weekdays on enough.contact_id = best_weekdays.contact_id
)

select
    contacts.contact_id,
    cast(coalesce(own_times.score, audience.score) as decimal(18, 6)) as score,
    cast(coalesce(own_times.local_hour, audience.local_hour) as bigint) as local_hour,
    cast(coalesce(own_times.local_weekday, audience.local_weekday) as bigint) as local_weekday,
    case when own_times.contact_id is not null then 'person' else audience.basis end as basis
from contacts
cross join audience
left join own_times on contacts.contact_id = own_times.contact_id
