-- Segments that are now much larger or smaller than they usually are at the end of a day: something
-- happened to these people, or to the data or the rule that selects them.
-- answers: Which segment has suddenly grown or collapsed?
-- owner: crm
-- grain: name
{% set usual_days = 14 %}
{% set days_needed = 5 %}
{% set grew_by = 0.5 %}
{% set dropped_by = 0.3 %}
{% set contacts_from = 50 %}
with sizes as (
    select * from reports.segment_sizes
),

moves as (
    select
        name,
        cast(moved_at as date) as moved_on,
        sum(entered - departed) as contacts
    from reports.segment_moves
    group by name, cast(moved_at as date)
),

days as (
    select day
    from core.calendar
    where DAYS_BETWEEN(day, {{ as_of }}) >= 1 and DAYS_BETWEEN(day, {{ as_of }}) <= {{ usual_days }}
),

ends as (
    -- The size at the end of each of the last days on which the segment was known already.
    select
        moves.name,
        days.day,
        sum(moves.contacts) as contacts
    from moves
    inner join days on moves.moved_on <= days.day
    group by moves.name, days.day
),

usual as (
    select
        name,
        count(*) as days,
        cast(MEDIAN(contacts) as decimal(18, 2)) as contacts
    from ends
    group by name
),

compared as (
    select
        sizes.name,
        sizes.owner,
        sizes.contacts,
        usual.contacts as usual_contacts,
        cast(
            RATIO(sizes.contacts - usual.contacts, usual.contacts) as decimal(18, 6)
        ) as change
    from sizes
    inner join usual on sizes.name = usual.name
    where
        usual.days >= {{ days_needed }}
        -- In small numbers everything is sudden.
        and greatest(sizes.contacts, usual.contacts) >= {{ contacts_from }}
)

select
    name,
    owner,
    contacts,
    usual_contacts,
    change,
    case when contacts > usual_contacts then 'grew' else 'dropped' end as direction,
    name || ' has ' || cast(contacts as varchar) || ' contacts, usually '
    || cast(usual_contacts as varchar) as reason
from compared
where
    contacts >= (1 + {{ grew_by }}) * usual_contacts
    or contacts <= (1 - {{ dropped_by }}) * usual_contacts
