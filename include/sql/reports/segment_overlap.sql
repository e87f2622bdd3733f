-- How far segments overlap, for each pair: contacts in both, as a share of either, and of those in
-- one of the two (Jaccard index: 0 apart, 1 the same).
-- answers: Which segments are nearly the same? Whom would two mailings reach twice?
-- owner: crm
-- grain: name, other_name
with members as (
    select * from segments.members
),

memberships as (
    select * from reports.contact_memberships
),

profiles as (
    -- Contacts that are in the same segments are counted once, by one of them: a million contacts
    -- have some thousand profiles.
    select
        min(contact_id) as contact_id,
        count(*) as contacts
    from memberships
    group by memberships
),

placed as (
    select
        profiles.contact_id,
        profiles.contacts,
        members.name
    from profiles
    inner join members on profiles.contact_id = members.contact_id
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
