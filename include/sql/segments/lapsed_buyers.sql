-- People who bought at least once, but not in the last 180 days.
-- owner: crm
-- grain: contact_id
{% set lapsed_after = "180 days" %}
with buyers as (
    select * from scores.rfm
)

select contact_id
from buyers
where last_ordered_at < {{ as_of }} - interval '{{ lapsed_after }}'
