-- What we sent by mail and what became of it, event by event. A machine's reactions are marked.
-- owner: crm
-- grain: touchpoint_id
{% set click_too_fast = 5 %}
with mail_events as (
    select * from staging.mail_events
),

messages as (
    select
        message_key,
        flow,
        step,
        contact_id
    from core.messages
),

sent_messages as (
    select
        message_key,
        flow,
        step,
        contact_id,
        send_at
    from core.messages
    where state = 'accepted' and channel = 'email'
),

address_keys as (
    select
        source_id,
        contact_id
    from core.contact_keys
    where source = 'mail'
),

-- What is read more than once is kept in memory: so the few events apart.
clicks as (
    select message_key
    from staging.mail_events
    where event_type = 'click'
),

deliveries as (
    select
        message_key,
        occurred_at
    from staging.mail_events
    where event_type = 'delivered'
),

delivered as (
    -- Few messages are clicked, and only of those it matters.
    select
        message_key,
        min(occurred_at) as delivered_at
    from deliveries
    where
        exists (
            select 1 from clicks
            where clicks.message_key = deliveries.message_key
        )
    group by message_key
)

select
    'mail-' || mail_events.event_id as touchpoint_id,
    mail_events.occurred_at,
    mail_events.event_type as type,
    coalesce(address_keys.contact_id, messages.contact_id) as contact_id,
    -- Security scanners follow a link before a person can have read the mail.
    coalesce(
        mail_events.is_machine_open
        or (
            mail_events.event_type = 'click'
            and SECONDS_BETWEEN(delivered.delivered_at, mail_events.occurred_at)
            < {{ click_too_fast }}
        ),
        false
    ) as is_machine,
    mail_events.message_key,
    messages.flow,
    messages.step,
    mail_events.url
from mail_events
left join messages on mail_events.message_key = messages.message_key
left join delivered
    on mail_events.event_type = 'click' and mail_events.message_key = delivered.message_key
left join address_keys on mail_events.email = address_keys.source_id
union all
select
    'sent-' || message_key as touchpoint_id,
    send_at as occurred_at,
    'sent' as type,
    contact_id,
    false as is_machine,
    message_key,
    flow,
    step,
    cast(null as varchar) as url
from sent_messages
