-- How many contacts are in each segment, what share of all that is, and how many entered and left:
-- with this build, in the last 7 and in the last 30 days. The first record of all is no entering.
-- answers: How big are our segments? Which are growing?
-- owner: crm
-- grain: name
with catalogue as (
    select * from segments.catalogue
),

members as (
    select
        name,
        count(*) as contacts
    from segments.members
    group by name
),

everybody as (
    select count(*) as contacts
    from core.contacts
    where not is_archived
),

moves as (
    select * from reports.segment_moves
),

began as (
    select min(moved_at) as began_at
    from moves
),

recent as (
    select
        moves.name,
        moves.moved_at,
        DAYS_BETWEEN(moves.moved_at, {{ as_of }}) as days_ago,
        case when moves.moved_at > began.began_at then moves.entered end as entered,
        moves.departed
    from moves
    cross join began
    where DAYS_BETWEEN(moves.moved_at, {{ as_of }}) < 30
),

counted as (
    select
        name,
        sum(case when moved_at = {{ as_of }} then entered end) as entered_now,
        sum(case when moved_at = {{ as_of }} then departed end) as left_now,
        sum(case when days_ago < 7 then entered end) as entered_7d,
        sum(case when days_ago < 7 then departed end) as left_7d,
        sum(entered) as entered_30d,
        sum(departed) as left_30d
    from recent
    group by name
)

select
    catalogue.name,
    catalogue.sentence,
    catalogue.owner,
    cast(coalesce(members.contacts, 0) as bigint) as contacts,
    cast(
        RATIO(coalesce(members.contacts, 0), everybody.contacts) as decimal(18, 6)
    ) as share,
    cast(coalesce(counted.entered_now, 0) as bigint) as entered_now,
    cast(coalesce(counted.left_now, 0) as bigint) as left_now,
    cast(coalesce(counted.entered_7d, 0) as bigint) as entered_7d,
    cast(coalesce(counted.left_7d, 0) as bigint) as left_7d,
    cast(coalesce(counted.entered_30d, 0) as bigint) as entered_30d,
    cast(coalesce(counted.left_30d, 0) as bigint) as left_30d
from catalogue
cross join everybody
left join members on catalogue.name = members.name
left join counted on catalogue.name = counted.name
