-- Each decision of the last 90 days about a person, with what is needed to say why it was taken and
-- what came of it. Older ones are kept in the ledger.
-- answers: Why did she get this message? Why did she not get one?
-- owner: crm
-- grain: decision_id
{% set within_days = 90 %}
with decisions as (
    select * from staging.ledger_decisions
    where DAYS_BETWEEN(decided_as_of, {{ as_of }}) <= {{ within_days }}
),

messages as (
    select
        message_key,
        flow,
        step,
        contact_id,
        occurrence_id,
        state,
        reason
    from staging.ledger_messages
    where DAYS_BETWEEN(planned_as_of, {{ as_of }}) <= {{ within_days }}
),

message_outcomes as (
    select
        message_key,
        delivered_at,
        opened_at,
        clicked_at,
        hard_bounced_at,
        unsubscribed_at
    from core.message_outcomes
),

records as (
    -- The ledger keeps the id of its day: a record's, or a visitor's nobody knew then.
    select
        contact_id,
        record_id
    from core.contact_keys
    union
    select
        contact_id,
        visitor_id as record_id
    from core.visitor_keys
)

select
    decisions.decision_id,
    coalesce(records.contact_id, decisions.contact_id) as contact_id,
    decisions.contact_id as record_id,
    decisions.flow,
    decisions.flow_version,
    decisions.policy_version,
    decisions.step,
    decisions.variant,
    decisions.channel,
    decisions.occurrence_id,
    decisions.occurred_at,
    decisions.reason,
    decisions.is_final,
    decisions.due_at,
    decisions.send_at,
    decisions.decided_as_of,
    decisions.inputs_until,
    -- How old the oldest source was that the flow relies on.
    SECONDS_BETWEEN(decisions.inputs_until, decisions.decided_as_of) as inputs_age_seconds,
    messages.message_key,
    messages.state as message_state,
    messages.reason as message_reason,
    message_outcomes.delivered_at,
    message_outcomes.opened_at,
    message_outcomes.clicked_at,
    message_outcomes.hard_bounced_at,
    message_outcomes.unsubscribed_at
from decisions
left join records on decisions.contact_id = records.record_id
left join messages
    on
        decisions.flow = messages.flow
        and decisions.step = messages.step
        and decisions.contact_id = messages.contact_id
        and decisions.occurrence_id = messages.occurrence_id
left join message_outcomes on messages.message_key = message_outcomes.message_key
