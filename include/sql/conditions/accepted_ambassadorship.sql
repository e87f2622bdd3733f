-- The moments at which a person followed the invitation to become an ambassador, scanners left out.
-- owner: crm
-- grain: contact_id, occurred_at
{% set flow = "flow_ambassadors" %}
{% set page = "/ambassadors" %}
with clicks as (
    select * from core.mail_touchpoints
    where
        flow = '{{ flow }}'
        and type = 'click'
        and not is_machine
        and contact_id is not null
        and strpos(url, '{{ page }}') > 0
)

select distinct
    contact_id,
    occurred_at
from clicks
