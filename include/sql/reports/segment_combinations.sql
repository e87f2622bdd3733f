-- Which segments each contact is in, as four numbers: of fifty segments each, in the order of their
-- names, the sum of 1, 2, 4 ... of those it is in. Of more than 200 segments the first by name.
-- answers: Which segments is this contact in, all at once?
-- owner: crm
-- grain: contact_id
with catalogue as (
    select
        name,
        row_number() over (order by name) as number
    from segments.catalogue
),

weights as (
    select
        name,
        cast(floor(POWER(2, (number + 49) % 50)) as bigint) as weight,
        cast(ceil(RATIO(number, 50)) as bigint) as part
    from catalogue
    where number <= 200
),

members as (
    select * from segments.members
),

weighted as (
    select
        members.contact_id,
        weights.weight,
        weights.part
    from members
    inner join weights on members.name = weights.name
)

select
    contact_id,
    cast(coalesce(sum(case when part = 1 then weight end), 0) as bigint) as first_sum,
    cast(coalesce(sum(case when part = 2 then weight end), 0) as bigint) as second_sum,
    cast(coalesce(sum(case when part = 3 then weight end), 0) as bigint) as third_sum,
    cast(coalesce(sum(case when part = 4 then weight end), 0) as bigint) as fourth_sum
from weighted
group by contact_id
