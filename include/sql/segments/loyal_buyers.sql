-- Buyers who come often and spend well, not quite as recently as the champions.
-- owner: crm
-- grain: contact_id
with buyers as (
    select * from scores.rfm
)

select contact_id
from buyers
where cell = 'loyal'
