-- People who bought at least twice.
-- owner: crm
-- grain: contact_id
{% set orders_from = 2 %}
with buyers as (
    select * from scores.rfm
)

select contact_id
from buyers
where orders >= {{ orders_from }}
