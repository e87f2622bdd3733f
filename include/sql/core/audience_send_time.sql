-- When everybody is most likely to look, for those of whom too little is known: each contact counts
-- once for each hour of the week in which it looked. Of a small audience a default.
-- answers: When does our audience read?
-- owner: crm
-- grain: basis
{% set audience_from = 100 %}
{% set default_hour = 10 %}
{% set default_weekday = 2 %}
with look_hours as (
    select
        hour,
        weekday,
        count(*) as people
    from core.look_hours
    group by hour, weekday
),

audience as (
    select coalesce(sum(people), 0) as people
    from look_hours
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
        (look_hours.hour + neighbours.shift) % 24 as hour,
        sum(look_hours.people * neighbours.weight) as weight
    from look_hours
    cross join neighbours
    group by (look_hours.hour + neighbours.shift) % 24
),

best_hour as (
    -- Of equal hours the earliest: weight and hour in one number.
    select max(weight * 24 + 23 - hour) as best
    from smoothed
),

weekdays as (
    select
        weekday,
        sum(people) as people
    from look_hours
    group by weekday
),

best_weekday as (
    select max(people * 7 + 7 - weekday) as best
    from weekdays
)

select
    case when audience.people >= {{ audience_from }} then 'audience' else 'default' end as basis,
    -- To the whole percent, so that it is not another with every look.
    cast(
        case
            when audience.people >= {{ audience_from }}
                then RATIO(best_hour.best - best_hour.best % 24, 48 * audience.people)
            else 0
        end as decimal(18, 2)
    ) as score,
    cast(
        case
            when audience.people >= {{ audience_from }} then 23 - best_hour.best % 24
            else {{ default_hour }}
        end as bigint
    ) as local_hour,
    cast(
        case
            when audience.people >= {{ audience_from }} then 7 - best_weekday.best % 7
            else {{ default_weekday }}
        end as bigint
    ) as local_weekday
from audience
cross join best_hour
cross join best_weekday
