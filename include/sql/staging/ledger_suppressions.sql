-- Suppressions as the ledger has them: the latest version of each, and whether it still holds.
-- owner: crm
-- grain: suppression_id
with versions as (
    select
        *,
        row_number() over (
            partition by suppression_id order by updated_at desc, _run desc, _line desc
        ) as recency
    from raw.ledger_suppressions
    where coalesce(created_at, updated_at) < {{ as_of }}
)

select
    suppression_id,
    nullif(lower(trim(email)), '') as email,
    contact_id,
    channel,
    topic,
    reason,
    source,
    coalesce(created_at, updated_at) as created_at,
    case when lifted_at < {{ as_of }} then lifted_at end as lifted_at,
    lifted_at is null or lifted_at >= {{ as_of }} as is_active,
    updated_at
from versions
where recency = 1
