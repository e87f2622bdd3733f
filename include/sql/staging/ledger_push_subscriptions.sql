-- Browsers that may be notified, and when they said so and took it back: the latest of each.
-- owner: crm
-- grain: subscription_id
with manifests as (
    select
        run,
        as_of
    from raw.manifests
    where source = 'ledger' and stream = 'push_subscriptions'
),

subscriptions as (
    select * from raw.ledger_push_subscriptions
),

known as (
    -- The ledger is stamped with real time, whatever moment is being replayed: a version counts
    -- from the moment for which it was read.
    select
        subscriptions.*,
        least(
            subscriptions.updated_at, coalesce(manifests.as_of, subscriptions.updated_at)
        ) as known_at
    from subscriptions
    left join manifests on subscriptions._run = manifests.run
),

versions as (
    select
        *,
        min(known_at) over (partition by subscription_id) as first_known_at,
        row_number() over (
            partition by subscription_id order by updated_at desc, _run desc, _line desc
        ) as recency
    from known
)

select
    subscription_id,
    visitor_id,
    contact_id,
    least(coalesce(created_at, updated_at), first_known_at) as created_at,
    case when revoked_at is not null then least(revoked_at, known_at) end as revoked_at
from versions
where recency = 1
