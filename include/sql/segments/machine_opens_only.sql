-- People whose mails of the last 90 days were opened by mail programs alone: nobody knows whether
-- they read.
-- owner: crm
-- grain: contact_id
with engagement as (
    select * from scores.engagement
)

select contact_id
from engagement
where machine_opens_90d > 0 and opens_90d = 0 and clicks_90d = 0
