-- Subscribers who have not bought for long: whom to win back by mail.
-- owner: crm
-- grain: contact_id
with subscribers as (
    select * from segments.subscribers
),

lapsed_buyers as (
    select * from segments.lapsed_buyers
)

select subscribers.contact_id
from subscribers
inner join lapsed_buyers on subscribers.contact_id = lapsed_buyers.contact_id
