-- What publishing this build adds to the record of memberships: the contacts whose segments or RFM
-- cell are other than recorded, and what they are in from as_of on.
-- owner: data
-- grain: contact_id, as_of
with recorded as (
    select * from raw.membership_changes
),

manifests as (
    select * from raw.manifests
    where source = 'warehouse' and stream = 'membership_changes'
),

memberships as (
    select * from reports.contact_memberships
),

known as (
    select
        contact_id,
        memberships,
        row_number() over (partition by contact_id order by as_of desc, _run desc) as recency
    from recorded
    where as_of <= {{ as_of }}
),

before as (
    select * from known
    where recency = 1
),

compared as (
    select
        coalesce(memberships.contact_id, before.contact_id) as contact_id,
        coalesce(memberships.memberships, '') as memberships,
        coalesce(before.memberships, '') as memberships_before
    from memberships
    full outer join before on memberships.contact_id = before.contact_id
),

changed as (
    select * from compared
    where memberships <> memberships_before
),

next_moment as (
    -- Only when a past moment is built again.
    select min(as_of) as next_as_of
    from manifests
    where as_of > {{ as_of }}
),

kept as (
    -- What was found at the next moment does not change by what is now found before it.
    select
        changed.contact_id,
        next_moment.next_as_of,
        changed.memberships_before
    from changed
    cross join next_moment
    where
        next_moment.next_as_of is not null
        and not exists (
            select 1 from recorded
            where
                recorded.contact_id = changed.contact_id
                and recorded.as_of = next_moment.next_as_of
        )
)

select
    contact_id,
    {{ as_of }} as as_of,
    memberships
from changed
union all
select
    contact_id,
    next_as_of as as_of,
    memberships_before as memberships
from kept
