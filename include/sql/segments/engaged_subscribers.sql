-- Subscribers who did something in the last 90 days: the safe audience of a mailing.
-- owner: crm
-- grain: contact_id
with subscribers as (
    select * from segments.subscribers
),

engaged_90_days as (
    select * from segments.engaged_90_days
)

select subscribers.contact_id
from subscribers
inner join engaged_90_days on subscribers.contact_id = engaged_90_days.contact_id
