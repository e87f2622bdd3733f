-- What the record of memberships is behind by: who entered (1) or left (-1) a segment or RFM cell
-- since. The record is a ledger: what holds at a moment is the sum up to it.
-- answers: Who entered or left a segment since the last publication?
-- owner: data
-- grain: record_id, kind, name
with names as (
    select * from reports.membership_names
),

segment_names as (
    select
        name,
        number
    from reports.membership_names
    where kind = 'segment'
),

cell_names as (
    select
        name,
        number
    from reports.membership_names
    where kind = 'rfm'
),

recorded as (
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
        segment_members.contact_id as record_id,
        segment_names.number,
        1 as change
    from segment_members
    inner join segment_names on segment_members.name = segment_names.name
    union all
    select
        rfm.contact_id as record_id,
        cell_names.number,
        1 as change
    from rfm
    inner join cell_names on rfm.cell = cell_names.name
    union all
    select
        recorded.record_id,
        names.number,
        -recorded.change as change
    from recorded
    inner join names on recorded.kind = names.kind and recorded.name = names.name
),

differences as (
    select
        record_id,
        number,
        cast(sum(change) as bigint) as change
    from compared
    group by record_id, number
    having sum(change) <> 0
)

select
    differences.record_id,
    names.kind,
    names.name,
    differences.change
from differences
inner join names on differences.number = names.number
