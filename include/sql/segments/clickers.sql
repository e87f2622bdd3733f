-- People who clicked a link in a mail in the last 90 days; security scanners do not count.
-- owner: crm
-- grain: contact_id
with engagement as (
    select * from scores.engagement
)

select contact_id
from engagement
where clicks_90d > 0
