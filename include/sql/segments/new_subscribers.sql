-- People whose subscription began in the last 30 days and still holds.
-- owner: crm
-- grain: contact_id
{% set new_for_days = 30 %}
with subscriptions as (
    select * from core.subscriptions
),

subscribers as (
    select * from segments.subscribers
)

select distinct subscribers.contact_id
from subscribers
inner join subscriptions on subscribers.contact_id = subscriptions.contact_id
where DAYS_BETWEEN(subscriptions.started_at, {{ as_of }}) <= {{ new_for_days }}
