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
