-- People who have got mail for at least 30 days and have never shown a sign of life.
-- owner: crm
-- grain: contact_id
{% set known_for_days = 30 %}
with engagement as (
    select * from scores.engagement
)

select contact_id
from engagement
where
    DAYS_BETWEEN(first_sent_at, {{ as_of }}) >= {{ known_for_days }}
    and last_engaged_at is null
