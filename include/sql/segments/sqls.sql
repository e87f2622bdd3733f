-- Sales qualified leads: accepted by sales, without a deal yet.
-- owner: sales
-- grain: contact_id
with stages as (
    select * from lifecycle.stage
)

select contact_id
from stages
where stage = 'sql'
