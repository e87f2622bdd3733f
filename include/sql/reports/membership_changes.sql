-- What publishing this build adds to the record of memberships, at its own moment. When a past
-- moment is built again it is taken back at the next recorded one, which stays as it was found.
-- answers: Who entered or left a segment with this build?
-- owner: data
-- grain: record_id, kind, name, as_of
with differences as (
    select * from reports.membership_differences
),

manifests as (
    select * from raw.manifests
    where source = 'warehouse' and stream = 'membership_changes'
),

next_moment as (
    select min(as_of) as next_as_of
    from manifests
    where as_of > {{ as_of }}
)

select
    record_id,
    kind,
    name,
    {{ as_of }} as as_of,
    change,
    false as is_taken_back
from differences
union all
select
    differences.record_id,
    differences.kind,
    differences.name,
    next_moment.next_as_of as as_of,
    -differences.change as change,
    true as is_taken_back
from differences
cross join next_moment
where next_moment.next_as_of is not null
