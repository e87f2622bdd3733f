-- People who did something in the last 30 days: visited, opened, clicked or ordered.
-- owner: crm
-- grain: contact_id
{% set within_days = 30 %}
with engagement as (
    select * from scores.engagement
)

select contact_id
from engagement
where DAYS_BETWEEN(last_engaged_at, {{ as_of }}) <= {{ within_days }}
