-- People who bought at least once, but not in the last 180 days.
-- owner: crm
-- grain: contact_id
{% set lapsed_after_days = 180 %}
with buyers as (
    select * from scores.rfm
)

select contact_id
from buyers
where recency_days > {{ lapsed_after_days }}
