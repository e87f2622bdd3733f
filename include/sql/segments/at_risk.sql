-- Buyers who used to buy often or much, and have not for long.
-- owner: crm
-- grain: contact_id
with buyers as (
    select * from scores.rfm
)

select contact_id
from buyers
where cell in ('at_risk', 'cant_lose_them')
