-- People who bought something in the last 180 days and did not send it back.
-- owner: crm
-- grain: contact_id
{% set active_within = "180 days" %}
with buyers as (
    select * from scores.rfm
)

select contact_id
from buyers
where last_ordered_at >= {{ as_of }} - interval '{{ active_within }}'
