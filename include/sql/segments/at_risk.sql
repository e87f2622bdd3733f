-- Buyers who used to come often and spend well, and have not for long.
-- owner: crm
-- grain: contact_id
with buyers as (
    select * from scores.rfm
)

select contact_id
from buyers
where cell = 'at_risk'
