-- Who was put into an audience and taken out of it: the latest of each stay.
-- owner: crm
-- grain: audience, contact_id, recorded_at
with manifests as (
    select
        run,
        as_of
    from raw.manifests
    where source = 'ledger' and stream = 'audience_members'
),

members as (
    select * from raw.ledger_audience_members
),

known as (
    -- The ledger is stamped with real time, whatever moment is being replayed: a version counts
    -- from the moment for which it was read.
    select
        members.*,
        least(members.updated_at, coalesce(manifests.as_of, members.updated_at)) as known_at
    from members
    left join manifests on members._run = manifests.run
),

versions as (
    select
        *,
        min(known_at) over (partition by audience, contact_id, entered_at) as first_known_at,
        row_number() over (
            partition by audience, contact_id, entered_at
            order by updated_at desc, _run desc, _line desc
        ) as recency
    from known
)

select
    audience,
    contact_id,
    entered_at as recorded_at,
    least(entered_at, first_known_at) as entered_at,
    case when left_at is not null then least(left_at, known_at) end as left_at
from versions
where recency = 1
