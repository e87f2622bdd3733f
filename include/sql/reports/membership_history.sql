-- When each contact was in a segment, an RFM cell or a lifecycle stage. Who was in one at a moment:
-- valid_from <= moment and (valid_to > moment or valid_to is null).
-- owner: crm
-- grain: kind, name, contact_id, valid_from
with recorded as (
    select * from raw.membership_changes
    where as_of <= {{ as_of }}
),

found_now as (
    select * from reports.membership_changes
    where as_of = {{ as_of }}
),

contact_keys as (
    select * from core.contact_keys
),

stage_history as (
    select * from lifecycle.stage_history
),

states as (
    select
        contact_id,
        as_of,
        _run,
        memberships
    from recorded
    union all
    select
        contact_id,
        as_of,
        -- After all runs.
        '~' as _run,
        memberships
    from found_now
),

compared as (
    select
        contact_id,
        as_of,
        memberships,
        -- A moment that was recorded twice takes back what it said first.
        coalesce(
            lag(memberships) over (partition by contact_id order by as_of, _run), ''
        ) as memberships_before
    from states
),

digits as (
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

widest as (
    select max(length(memberships) - length(replace(memberships, ';', '')) + 1) as entries
    from states
),

positions as (
    select 100 * hundreds.digit + 10 * tens.digit + ones.digit + 1 as position
    from digits as hundreds
    cross join digits as tens
    cross join digits as ones
    inner join widest on 100 * hundreds.digit + 10 * tens.digit + ones.digit < widest.entries
),

moves as (
    select
        compared.contact_id,
        compared.as_of,
        split_part(compared.memberships, ';', positions.position) as membership,
        compared.memberships_before as others,
        1 as change
    from compared
    cross join positions
    union all
    select
        compared.contact_id,
        compared.as_of,
        split_part(compared.memberships_before, ';', positions.position) as membership,
        compared.memberships as others,
        -1 as change
    from compared
    cross join positions
),

turns as (
    -- Records that have become one contact count as one: it is in while one of them is.
    select
        contact_keys.contact_id,
        moves.membership,
        moves.as_of,
        sum(moves.change) as change
    from moves
    inner join contact_keys on moves.contact_id = contact_keys.record_id
    where
        moves.membership <> ''
        and strpos(';' || moves.others || ';', ';' || moves.membership || ';') = 0
    group by contact_keys.contact_id, moves.membership, moves.as_of
    having sum(moves.change) <> 0
),

counted as (
    select
        contact_id,
        membership,
        as_of,
        change,
        sum(change) over (
            partition by contact_id, membership
            order by as_of
            rows between unbounded preceding and current row
        ) as records
    from turns
),

bounds as (
    select
        contact_id,
        membership,
        as_of as valid_from,
        records,
        lead(as_of) over (partition by contact_id, membership order by as_of) as valid_to
    from counted
    where records = 0 or records = change
)

select
    split_part(membership, ':', 1) as kind,
    split_part(membership, ':', 2) as name,
    contact_id,
    valid_from,
    valid_to
from bounds
where records > 0
union all
select
    'stage' as kind,
    stage as name,
    contact_id,
    entered_at as valid_from,
    left_at as valid_to
from stage_history
