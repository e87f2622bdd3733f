-- Subscribers of more than 90 days who showed no sign of life in that time: no visit, no open or
-- click by a person, no order.
-- owner: crm
-- grain: contact_id
{% set silent_for_days = 90 %}
with contacts as (
    select * from core.contacts
),

subscribers as (
    select * from segments.subscribers
),

engaged as (
    select * from scores.engagement
    where DAYS_BETWEEN(last_engaged_at, {{ as_of }}) <= {{ silent_for_days }}
)

select subscribers.contact_id
from subscribers
inner join contacts on subscribers.contact_id = contacts.contact_id
where
    DAYS_BETWEEN(contacts.email_consent_at, {{ as_of }}) > {{ silent_for_days }}
    and not exists (
        select 1 from engaged
        where engaged.contact_id = subscribers.contact_id
    )
