-- Decisions as the ledger has them: the latest of each candidate and step.
-- owner: crm
-- grain: decision_id
with versions as (
    select
        *,
        row_number() over (
            partition by decision_id order by updated_at desc, _run desc, _line desc
        ) as recency
    from raw.ledger_decisions
)

select
    decision_id,
    flow,
    flow_version,
    policy_version,
    step,
    contact_id,
    occurrence_id,
    occurred_at,
    variant,
    coalesce(channel, 'email') as channel,
    reason,
    coalesce(is_final, true) as is_final,
    due_at,
    send_at,
    as_of as decided_as_of,
    inputs_until,
    updated_at
from versions
where recency = 1
