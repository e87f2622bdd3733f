-- A subscriber has got mails for 90 days and shown no sign of life: no open or click by a human, no
-- visit, no order. Each silence is one occurrence, known by the day it began.
-- owner: crm
-- grain: contact_id, occurrence_id
{% set silent_for_days = 90 %}
{% set mails_from = 3 %}
{% set flow = "flow_reengagement" %}
{% set look_back_days = 60 %}
with subscribers as (
    select * from segments.subscribers
),

engagement as (
    select
        contact_id,
        sent_90d,
        coalesce(last_engaged_at, first_sent_at) as silent_since
    from scores.engagement
),

quiet as (
    select
        engagement.contact_id,
        cast(cast(engagement.silent_since as date) as varchar) as occurrence_id,
        engagement.silent_since + interval '{{ silent_for_days }} days' as occurred_at
    from engagement
    inner join subscribers on engagement.contact_id = subscribers.contact_id
    where
        engagement.sent_90d >= {{ mails_from }}
        -- Whose 90 days end later today is there already; flows ask from that hour on.
        and DAYS_BETWEEN(engagement.silent_since, {{ as_of }})
        between {{ silent_for_days }} and {{ silent_for_days }} + {{ look_back_days }}
),

under_way as (
    -- Who was written to goes on being asked about, silent or not: so the answer ends the journey.
    select
        contact_id,
        occurrence_id,
        min(planned_as_of) as occurred_at
    from core.messages
    where
        flow = '{{ flow }}'
        and contact_id is not null
        and DAYS_BETWEEN(planned_as_of, {{ as_of }}) <= {{ look_back_days }}
    group by contact_id, occurrence_id
)

select
    contact_id,
    occurrence_id,
    occurred_at
from under_way
union all
select
    quiet.contact_id,
    quiet.occurrence_id,
    quiet.occurred_at
from quiet
left join under_way
    on
        quiet.contact_id = under_way.contact_id
        and quiet.occurrence_id = under_way.occurrence_id
where under_way.contact_id is null
