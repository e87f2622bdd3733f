-- Occasional buyers whose last order is getting old.
-- owner: crm
-- grain: contact_id
with buyers as (
    select * from scores.rfm
)

select contact_id
from buyers
where cell = 'about_to_sleep'
