-- People whose first purchase was in the last 30 days.
-- owner: crm
-- grain: contact_id
{% set new_for_days = 30 %}
with buyers as (
    select * from core.purchase_history
)

select contact_id
from buyers
where age_days <= {{ new_for_days }}
