-- What anybody is or was a member of, each segment and RFM cell with a number of its own: millions
-- of memberships are compared by numbers in a fraction of the memory that their names take.
-- answers: Which segments and cells does the record of memberships know?
-- owner: data
-- grain: number
with catalogue as (
    select name from segments.catalogue
),

rfm as (
    select cell from scores.rfm
),

recorded as (
    select
        kind,
        name
    from raw.membership_changes
),

names as (
    select
        'segment' as kind,
        name
    from catalogue
    union all
    select
        'rfm' as kind,
        cell as name
    from rfm
    union distinct
    select
        kind,
        name
    from recorded
)

select
    kind,
    name,
    cast(row_number() over (order by kind, name) as bigint) as number
from names
