-- People whose subscription began in the last 30 days and still holds.
-- owner: crm
-- grain: contact_id
{% set new_for = "30 days" %}
with subscriptions as (
    select * from core.subscriptions
),

subscribers as (
    select * from segments.subscribers
)

select distinct subscribers.contact_id
from subscribers
inner join subscriptions on subscribers.contact_id = subscriptions.contact_id
where subscriptions.started_at >= {{ as_of }} - interval '{{ new_for }}'
