-- Buyers who were among the very best, and have not come for long.
-- owner: crm
-- grain: contact_id
with buyers as (
    select * from scores.rfm
)

select contact_id
from buyers
where cell = 'cant_lose_them'
