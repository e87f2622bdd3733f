-- How many contacts entered and left each segment at each published moment.
-- answers: When did people enter and leave a segment?
-- owner: crm
-- grain: name, moved_at
with periods as (
    select
        name,
        valid_from,
        valid_to
    from reports.membership_history
    where kind = 'segment'
),

moves as (
    select
        name,
        valid_from as moved_at,
        count(*) as entered,
        0 as departed
    from periods
    group by name, valid_from
    union all
    select
        name,
        valid_to as moved_at,
        0 as entered,
        count(*) as departed
    from periods
    where valid_to is not null
    group by name, valid_to
)

select
    name,
    moved_at,
    cast(sum(entered) as bigint) as entered,
    cast(sum(departed) as bigint) as departed
from moves
group by name, moved_at
