-- The time zones that contacts may be in: those the CRM names, and those of the countries.
-- owner: data
-- grain: timezone
{% set default_timezone = "Europe/Berlin" %}
with countries as (
    select timezone from seeds.country_defaults
),

crm_contacts as (
    select timezone from staging.crm_contacts
    where timezone is not null
),

named as (
    select timezone from countries
    union all
    select timezone from crm_contacts
    union all
    select '{{ default_timezone }}' as timezone
)

select distinct timezone
from named
