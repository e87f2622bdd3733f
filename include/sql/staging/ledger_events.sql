-- What became of texts, notifications and overlays, each event once; mail has events of its own.
-- owner: crm
-- grain: event_id
with manifests as (
    select
        run,
        as_of
    from raw.manifests
    where source = 'ledger' and stream = 'events'
),

events as (
    select
        *,
        -- An event never changes; it may have been read more than once.
        row_number() over (partition by event_id order by _run, _line) as copy
    from raw.ledger_events
)

select
    events.event_id,
    case
        when events.event_type = 'bounce' and events.bounce_type = 'blocked' then 'soft_bounce'
        when events.event_type = 'bounce' then 'hard_bounce'
        else events.event_type
    end as event_type,
    events.message_key,
    -- The ledger is stamped with real time, whatever moment is being replayed.
    least(
        coalesce(events.occurred_at, events.updated_at),
        coalesce(manifests.as_of, events.updated_at)
    ) as occurred_at
from events
left join manifests on events._run = manifests.run
where events.copy = 1
