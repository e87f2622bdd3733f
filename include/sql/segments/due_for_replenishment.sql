-- Buyers who will soon have used up something they bought, or have just done so.
-- owner: crm
-- grain: contact_id
{% set days_before = 7 %}
{% set days_after = 14 %}
with replenishments as (
    select * from scores.replenishment
)

select distinct contact_id
from replenishments
where
    DAYS_BETWEEN({{ as_of }}, due_on) <= {{ days_before }}
    and DAYS_BETWEEN({{ as_of }}, due_on) >= -{{ days_after }}
