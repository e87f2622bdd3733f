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

members as (
    select * from segments.members
),

weights as (
    select
        name,
        POWER(2, number) as weight,
        case
            when number <= 53 then 1
            when number <= 106 then 2
            when number <= 159 then 3
            else 4
        end as quarter
    from catalogue
    where number <= 200
),

weighted as (
    select
        members.contact_id,
        members.name,
        weights.weight,
        weights.quarter
    from members
    inner join weights on members.name = weights.name
),

combinations as (
    -- Which segments a contact is in, as numbers: a sum of powers of two is exact over 53 bits.
    select
        contact_id,
        sum(case when quarter = 1 then weight end) as first_sum,
        sum(case when quarter = 2 then weight end) as second_sum,
        sum(case when quarter = 3 then weight end) as third_sum,
        sum(case when quarter = 4 then weight end) as fourth_sum
    from weighted
    group by contact_id
),

profiles as (
    -- Contacts in the same segments are counted once, by one of them: a million contacts have some
    -- thousand profiles.
    select
        min(contact_id) as contact_id,
        count(*) as contacts
    from combinations
    group by first_sum, second_sum, third_sum, fourth_sum
),

placed as (
    select
        profiles.contact_id,
        profiles.contacts,
        weighted.name
    from profiles
    inner join weighted on profiles.contact_id = weighted.contact_id
),

pairs as (
    select
        placed.name,
        others.name as other_name,
        sum(placed.contacts) as contacts
    from placed
    inner join placed as others on placed.contact_id = others.contact_id
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
