-- What people said to ourselves about being written to, statement by statement.
-- owner: crm
-- grain: consent_id
with manifests as (
    select
        run,
        as_of
    from raw.manifests
    where source = 'ledger' and stream = 'consents'
),

consents as (
    select
        *,
        -- A statement never changes; it may have been read more than once.
        row_number() over (partition by consent_id order by _run, _line) as copy
    from raw.ledger_consents
)

select
    consents.consent_id,
    consents.address,
    consents.contact_id,
    consents.channel,
    consents.topic,
    consents.state,
    consents.basis,
    -- The ledger is stamped with real time, whatever moment is being replayed.
    least(
        coalesce(consents.occurred_at, consents.updated_at),
        coalesce(manifests.as_of, consents.updated_at)
    ) as stated_at
from consents
left join manifests on consents._run = manifests.run
where consents.copy = 1
