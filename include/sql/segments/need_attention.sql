-- Average buyers whose last order is getting old: the moment to speak to them.
-- owner: crm
-- grain: contact_id
with buyers as (
    select * from scores.rfm
)

select contact_id
from buyers
where cell = 'need_attention'
