-- Decisions as the ledger has them: the latest of each candidate and step.
-- owner: crm
-- grain: decision_id
with manifests as (
    select
        run,
        as_of
    from raw.manifests
    where source = 'ledger' and stream = 'decisions'
),

decisions as (
    select * from raw.ledger_decisions
),

known as (
    -- The ledger is stamped with real time, whatever moment is being replayed: a version counts
    -- from the moment for which it was read.
    select
        decisions.*,
        least(
            decisions.updated_at, coalesce(manifests.as_of, decisions.updated_at)
        ) as known_at
    from decisions
    left join manifests on decisions._run = manifests.run
),

versions as (
    select
        *,
        row_number() over (
            partition by decision_id order by updated_at desc, _run desc, _line desc
        ) as recency
    from known
    where known_at <= {{ as_of }} and as_of < {{ as_of }}
)

select
    decision_id,
    flow,
    step,
    contact_id,
    occurrence_id,
    variant,
    reason,
    as_of as decided_as_of,
    updated_at
from versions
where recency = 1
