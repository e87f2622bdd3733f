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

contact_keys as (
    select
        record_id,
        contact_id
    from core.contact_keys
),

joined_records as (
    -- Records that have become part of an older contact.
    select
        record_id,
        contact_id
    from core.contact_keys
    where record_id <> contact_id
),

own_records as (
    select contact_id from core.contact_keys
    where record_id = contact_id
),

stage_history as (
    select * from lifecycle.stage_history
),

moves as (
    -- Most enter once, under their own id, and stay: only the others have to be put in order.
    select
        record_id,
        kind,
        name
    from changes
    where change < 0
    union all
    select
        changes.record_id,
        changes.kind,
        changes.name
    from changes
    inner join joined_records on changes.record_id = joined_records.record_id
),

moved as (
    select distinct
        contact_keys.contact_id,
        moves.kind,
        moves.name
    from moves
    inner join contact_keys on moves.record_id = contact_keys.record_id
),

stays as (
    select
        changes.record_id as contact_id,
        changes.kind,
        changes.name,
        changes.as_of
    from changes
    inner join own_records on changes.record_id = own_records.contact_id
    where
        not exists (
            select 1 from moved
            where
                moved.contact_id = changes.record_id
                and moved.kind = changes.kind
                and moved.name = changes.name
        )
),

moved_records as (
    select
        contact_keys.record_id,
        moved.contact_id,
        moved.kind,
        moved.name
    from moved
    inner join contact_keys on moved.contact_id = contact_keys.contact_id
),

turns as (
    -- Records that have become one contact count as one: it is in while one of them is.
    select
        moved_records.contact_id,
        changes.kind,
        changes.name,
        changes.as_of,
        sum(changes.change) as change
    from changes
    inner join moved_records
        on
            changes.record_id = moved_records.record_id
            and changes.kind = moved_records.kind
            and changes.name = moved_records.name
    group by moved_records.contact_id, changes.kind, changes.name, changes.as_of
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
