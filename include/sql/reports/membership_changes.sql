-- What publishing this build adds to the record of memberships: who entered (1) or left (-1) a
-- segment or RFM cell. The record is a ledger: what holds at a moment is the sum up to it.
-- answers: Who entered or left a segment with this build?
-- owner: data
-- grain: record_id, kind, name, as_of
with recorded as (
    select * from raw.membership_changes
    where as_of <= {{ as_of }}
),

manifests as (
    select * from raw.manifests
    where source = 'warehouse' and stream = 'membership_changes'
),

segment_members as (
    select * from segments.members
),

rfm as (
    select * from scores.rfm
),

compared as (
    select
        contact_id as record_id,
        'segment' as kind,
        name,
        1 as change
    from segment_members
    union all
    select
        contact_id as record_id,
        'rfm' as kind,
        cell as name,
        1 as change
    from rfm
    union all
    select
        record_id,
        kind,
        name,
        -change as change
    from recorded
),

changed as (
    select
        record_id,
        kind,
        name,
        cast(sum(change) as bigint) as change
    from compared
    group by record_id, kind, name
    having sum(change) <> 0
),

next_moment as (
    -- Only when a past moment is built again: what was found at the next one stays as it is.
    select min(as_of) as next_as_of
    from manifests
    where as_of > {{ as_of }}
)

select
    record_id,
    kind,
    name,
    {{ as_of }} as as_of,
    change
from changed
union all
select
    changed.record_id,
    changed.kind,
    changed.name,
    next_moment.next_as_of as as_of,
    -changed.change as change
from changed
cross join next_moment
where next_moment.next_as_of is not null
