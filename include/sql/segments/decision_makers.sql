-- People who decide on purchases themselves.
-- owner: sales
-- grain: contact_id
with bant as (
    select * from scores.bant
)

select contact_id
from bant
where authority = 'decides'
