-- People who became known in the last 30 days.
-- owner: crm
-- grain: contact_id
{% set new_for_days = 30 %}
with contacts as (
    select * from core.contacts
    where not is_archived
)

select contact_id
from contacts
where DAYS_BETWEEN(created_at, {{ as_of }}) <= {{ new_for_days }}
