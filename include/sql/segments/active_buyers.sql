-- People who bought something in the last 180 days and did not send it back.
-- owner: crm
-- grain: contact_id
{% set active_within_days = 180 %}
with buyers as (
    select * from scores.rfm
)

select contact_id
from buyers
where recency_days <= {{ active_within_days }}
