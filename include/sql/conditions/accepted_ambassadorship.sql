-- The moments at which a person chose to be an ambassador: followed the invitation, scanners left
-- out, or filled in the programme's form on the site.
-- owner: crm
-- grain: contact_id, occurred_at
{% set flow = "flow_ambassadors" %}
{% set page = "/ambassadors" %}
{% set form = "ambassadors" %}
with clicks as (
    select * from core.mail_touchpoints
    where
        flow = '{{ flow }}'
        and type = 'click'
        and not is_machine
        and contact_id is not null
        and strpos(url, '{{ page }}') > 0
),

forms as (
    select * from core.site_touchpoints
    where
        type = 'form_submit'
        and topic = '{{ form }}'
        and contact_id is not null
),

choices as (
    select
        contact_id,
        occurred_at
    from clicks
    union all
    select
        contact_id,
        occurred_at
    from forms
)

select distinct
    contact_id,
    occurred_at
from choices
