-- Subscribers who got 10 mails or more in 180 days and have never opened, clicked, visited or
-- bought anything: to be asked once more, and then left alone (Klaviyo's sunset segment).
-- owner: crm
-- grain: contact_id
{% set mails_from = 10 %}
with subscribers as (
    select * from segments.subscribers
),

engagement as (
    select * from scores.engagement
)

select subscribers.contact_id
from subscribers
inner join engagement on subscribers.contact_id = engagement.contact_id
where
    engagement.sent_180d >= {{ mails_from }}
    and engagement.last_engaged_at is null
