-- When each contact was in a segment, an RFM cell or a lifecycle stage. Who was in one at a moment:
-- valid_from <= moment and (valid_to > moment or valid_to is null).
-- answers: Who was in a segment, cell or stage on a given day?
-- owner: crm
-- grain: kind, name, contact_id, valid_from
with recorded as (
    select
        record_id,
        kind,
        name,
        as_of,
        change
    from raw.membership_changes
),

found_now as (
    select
        record_id,
        kind,
        name,
        as_of,
        change
    from reports.membership_changes
    where not is_taken_back
),

changes as (
    select * from recorded
    union all
    select * from found_now
),

moves as (
    select
        record_id,
        contact_id,
        kind,
        name
    from reports.membership_moves
),

own_records as (
    select contact_id from core.contact_keys
    where record_id = contact_id
),

stage_history as (
    select * from lifecycle.stage_history
),

stays as (
    -- Most enter once, under their own id, and stay.
    select
        changes.record_id as contact_id,
        changes.kind,
        changes.name,
        changes.as_of
    from changes
    inner join own_records on changes.record_id = own_records.contact_id
    where
        not exists (
            select 1 from moves
            where
                moves.contact_id = changes.record_id
                and moves.kind = changes.kind
                and moves.name = changes.name
        )
),

turns as (
    -- Records that have become one contact count as one: it is in while one of them is.
    select
        moves.contact_id,
        changes.kind,
        changes.name,
        changes.as_of,
        sum(changes.change) as change
    from changes
    inner join moves
        on
            changes.record_id = moves.record_id
            and changes.kind = moves.kind
            and changes.name = moves.name
    group by moves.contact_id, changes.kind, changes.name, changes.as_of
    having sum(changes.change) <> 0
),

counted as (
    select
        contact_id,
        kind,
        name,
        as_of,
        change,
        sum(change) over (
            partition by contact_id, kind, name
            order by as_of
            rows between unbounded preceding and current row
        ) as records
    from turns
),

bounds as (
    select
        contact_id,
        kind,
        name,
        records,
        as_of as valid_from,
        lead(as_of) over (partition by contact_id, kind, name order by as_of) as valid_to
    from counted
    where records = 0 or records = change
)

select
    kind,
    name,
    contact_id,
    as_of as valid_from,
    cast(null as timestamp) as valid_to
from stays
union all
select
    kind,
    name,
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
