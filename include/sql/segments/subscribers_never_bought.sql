-- Subscribers who have never bought anything: whom to win as customers.
-- owner: crm
-- grain: contact_id
with subscribers as (
    select * from segments.subscribers
),

never_bought as (
    select * from segments.never_bought
)

select subscribers.contact_id
from subscribers
inner join never_bought on subscribers.contact_id = never_bought.contact_id
