-- Marketing qualified leads: ripe enough to be shown to sales.
-- owner: sales
-- grain: contact_id
with stages as (
    select * from lifecycle.stage
)

select contact_id
from stages
where stage = 'mql'
