-- People between thirty and forty-nine.
-- owner: crm
-- grain: contact_id
{% set from_age = "30 years" %}
{% set to_age = "50 years" %}
with contacts as (
    select * from core.contacts
    where not is_archived
)

select contact_id
from contacts
where
    date_of_birth <= cast(cast({{ as_of }} as date) as timestamp) - interval '{{ from_age }}'
    and date_of_birth > cast(cast({{ as_of }} as date) as timestamp) - interval '{{ to_age }}'
