-- Suppressions as the ledger has them: the latest version of each, and whether it still holds.
-- owner: crm
-- grain: suppression_id
with manifests as (
    select
        run,
        as_of
    from raw.manifests
    where source = 'ledger' and stream = 'suppressions'
),

suppressions as (
    select * from raw.ledger_suppressions
),

known as (
    -- The ledger is stamped with real time, whatever moment is being replayed: a version counts
    -- from the moment for which it was read.
    select
        suppressions.*,
        least(
            suppressions.updated_at, coalesce(manifests.as_of, suppressions.updated_at)
        ) as known_at
    from suppressions
    left join manifests on suppressions._run = manifests.run
),

versions as (
    select
        *,
        min(known_at) over (partition by suppression_id) as first_known_at,
        row_number() over (
            partition by suppression_id order by updated_at desc, _run desc, _line desc
        ) as recency
    from known
)

select
    suppression_id,
    nullif(lower(trim(email)), '') as email,
    contact_id,
    channel,
    topic,
    reason,
    source,
    least(coalesce(created_at, updated_at), first_known_at) as created_at,
    case when lifted_at is not null then least(lifted_at, known_at) end as lifted_at,
    lifted_at is null as is_active,
    updated_at
from versions
where recency = 1
