-- What we sent to people by other ways than mail (sms, push, onsite), and what became of it.
-- owner: crm
-- grain: touchpoint_id
with messages as (
    select
        message_key,
        flow,
        step,
        channel,
        contact_id,
        state,
        send_at
    from core.messages
    where channel in ('sms', 'push', 'onsite')
),

events as (
    select * from staging.ledger_events
)

select
    'event-' || events.event_id as touchpoint_id,
    events.occurred_at,
    messages.channel,
    events.event_type as type,
    messages.contact_id,
    messages.message_key,
    messages.flow,
    messages.step
from events
inner join messages on events.message_key = messages.message_key
union all
select
    'sent-' || message_key as touchpoint_id,
    send_at as occurred_at,
    channel,
    'sent' as type,
    contact_id,
    message_key,
    flow,
    step
from messages
where state = 'accepted'
