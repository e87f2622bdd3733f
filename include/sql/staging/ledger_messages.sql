-- Messages as the ledger has them: the latest state of each.
-- owner: crm
-- grain: message_key
with manifests as (
    select
        run,
        as_of
    from raw.manifests
    where source = 'ledger' and stream = 'messages'
),

messages as (
    select * from raw.ledger_messages
),

known as (
    -- The ledger is stamped with real time, whatever moment is being replayed: a version counts
    -- from the moment for which it was read.
    select
        messages.*,
        least(
            messages.updated_at, coalesce(manifests.as_of, messages.updated_at)
        ) as known_at
    from messages
    left join manifests on messages._run = manifests.run
),

versions as (
    select
        *,
        row_number() over (
            partition by message_key order by updated_at desc, _run desc, _line desc
        ) as recency
    from known
    where known_at <= {{ as_of }} and planned_as_of < {{ as_of }}
)

select
    message_key,
    flow,
    step,
    variant,
    contact_id,
    occurrence_id,
    batch_id,
    state,
    reason,
    planned_as_of,
    answered_at,
    updated_at
from versions
where recency = 1
