-- People who opened a mail themselves in the last 90 days; what mail programs open does not count.
-- owner: crm
-- grain: contact_id
with engagement as (
    select * from scores.engagement
)

select contact_id
from engagement
where opens_90d > 0
