-- People with an open deal who are no customers yet.
-- owner: sales
-- grain: contact_id
with stages as (
    select * from lifecycle.stage
)

select contact_id
from stages
where stage = 'opportunity'
