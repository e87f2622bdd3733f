-- Every day up to now with its week (from Monday) and month, so that reports have no gaps.
-- owner: data
-- grain: day
{% set first_day = "2010-01-01" %}
with digits as (
    select 0 as digit
    union all
    select 1 as digit
    union all
    select 2 as digit
    union all
    select 3 as digit
    union all
    select 4 as digit
    union all
    select 5 as digit
    union all
    select 6 as digit
    union all
    select 7 as digit
    union all
    select 8 as digit
    union all
    select 9 as digit
),

numbers as (
    select ones.digit + 10 * tens.digit + 100 * hundreds.digit + 1000 * thousands.digit as number
    from digits as ones
    cross join digits as tens
    cross join digits as hundreds
    cross join digits as thousands
),

days as (
    select ADD_DAYS(date '{{ first_day }}', number) as day
    from numbers
    where number <= DAYS_BETWEEN(date '{{ first_day }}', {{ as_of }})
)

select
    day,
    cast(date_trunc('week', day) as date) as week,
    cast(date_trunc('month', day) as date) as month
from days
