-- How far segments overlap, for each pair: contacts in both, as a share of either, and of those in
-- one of the two (Jaccard index: 0 apart, 1 the same). Of more than 200 segments the first by name.
-- answers: Which segments are nearly the same? Whom would two mailings reach twice?
-- owner: crm
-- grain: name, other_name
with catalogue as (
    select
        name,
        row_number() over (order by name) as number
    from segments.catalogue
),

weights as (
    -- As in reports.segment_combinations.
    select
        name,
        cast(floor(POWER(2, (number + 49) % 50)) as bigint) as weight,
        cast(ceil(RATIO(number, 50)) as bigint) as part
    from catalogue
),

profiles as (
    -- Contacts in the same segments are counted once, by one of them: a million contacts have some
    -- thousand profiles.
    select
        min(contact_id) as profile,
        first_sum,
        second_sum,
        third_sum,
        fourth_sum,
        count(*) as contacts
    from reports.segment_combinations
    group by first_sum, second_sum, third_sum, fourth_sum
),

sums as (
    select
        profile,
        contacts,
        1 as part,
        first_sum as total
    from profiles
    union all
    select
        profile,
        contacts,
        2 as part,
        second_sum as total
    from profiles
    union all
    select
        profile,
        contacts,
        3 as part,
        third_sum as total
    from profiles
    union all
    select
        profile,
        contacts,
        4 as part,
        fourth_sum as total
    from profiles
),

placed as (
    select
        sums.profile,
        sums.contacts,
        weights.name
    from sums
    inner join weights
        on
            sums.part = weights.part
            and cast(floor(RATIO(sums.total, weights.weight)) as bigint) % 2 = 1
),

pairs as (
    select
        placed.name,
        others.name as other_name,
        sum(placed.contacts) as contacts
    from placed
    inner join placed as others on placed.profile = others.profile
    group by placed.name, others.name
),

sized as (
    select
        name,
        other_name,
        contacts,
        -- A segment's overlap with itself is its size.
        max(case when name = other_name then contacts end) over (
            partition by name
        ) as name_contacts,
        max(case when name = other_name then contacts end) over (
            partition by other_name
        ) as other_contacts
    from pairs
)

select
    name,
    other_name,
    cast(contacts as bigint) as contacts,
    cast(name_contacts as bigint) as name_contacts,
    cast(other_contacts as bigint) as other_contacts,
    cast(RATIO(contacts, name_contacts) as decimal(18, 6)) as share_of_name,
    cast(RATIO(contacts, other_contacts) as decimal(18, 6)) as share_of_other,
    cast(
        RATIO(contacts, name_contacts + other_contacts - contacts) as decimal(18, 6)
    ) as jaccard
from sized
where name <> other_name
