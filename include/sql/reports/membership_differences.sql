-- What the record of memberships is behind by: who entered (1) or left (-1) a segment or RFM cell
-- since. The record is a ledger: what holds at a moment is the sum up to it.
-- answers: Who entered or left a segment since the last publication?
-- owner: data
-- grain: record_id, kind, name
with recorded as (
    select * from raw.membership_changes
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
)

select
    record_id,
    kind,
    name,
    cast(sum(change) as bigint) as change
from compared
group by record_id, kind, name
having sum(change) <> 0
