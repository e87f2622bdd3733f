-- A subscriber has got ten mails or more in 180 days and shown no sign of life in that time. Each
-- silence is one occurrence, known by the day it began. Looked through every month.
-- owner: crm
-- grain: contact_id, occurrence_id
{% set mails_from = 10 %}
{% set silent_for = 180 %}
{% set flow = "flow_sunset" %}
{% set look_back_days = 90 %}
with subscribers as (
    select * from segments.subscribers
),

engagement as (
    select * from scores.engagement
    where
        sent_180d >= {{ mails_from }}
        and (
            last_engaged_at is null
            or DAYS_BETWEEN(last_engaged_at, {{ as_of }}) > {{ silent_for }}
        )
),

members as (
    select contact_id from core.audience_members
    where audience = 'sunset' and left_at is null
),

silent as (
    select
        engagement.contact_id,
        cast(
            cast(coalesce(engagement.last_engaged_at, engagement.first_sent_at) as date) as varchar
        ) as occurrence_id
    from engagement
    inner join subscribers on engagement.contact_id = subscribers.contact_id
    left join members on engagement.contact_id = members.contact_id
    where members.contact_id is null
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
    silent.contact_id,
    silent.occurrence_id,
    -- Whose silence is older than this flow gets its chance too.
    date_trunc('month', {{ as_of }}) as occurred_at
from silent
left join under_way
    on
        silent.contact_id = under_way.contact_id
        and silent.occurrence_id = under_way.occurrence_id
where under_way.contact_id is null
