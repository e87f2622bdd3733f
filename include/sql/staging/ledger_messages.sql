-- Messages as the ledger has them: the latest state of each.
-- owner: crm
-- grain: message_key
with versions as (
    select
        *,
        row_number() over (
            partition by message_key order by updated_at desc, _run desc, _line desc
        ) as recency
    from raw.ledger_messages
)

select
    message_key,
    flow,
    step,
    variant,
    -- What was landed before there were others went by mail.
    coalesce(channel, 'email') as channel,
    contact_id,
    occurrence_id,
    batch_id,
    state,
    reason,
    planned_as_of,
    coalesce(send_at, planned_as_of) as send_at,
    answered_at,
    updated_at
from versions
where recency = 1
