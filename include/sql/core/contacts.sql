-- One row for each person across shop and CRM: who it is, how to address it, and its consent.
-- answers: Who is this person, how do we address it, and may we write to it?
-- owner: crm
-- grain: contact_id
{% set default_language = "en" %}
{% set default_timezone = "Europe/Berlin" %}
with profiles as (
    select * from core.profiles
),

salutations as (
    select * from core.salutations
),

birthdays as (
    select * from core.birthdays
),

email_consents as (
    select * from core.email_consents
),

countries as (
    select * from seeds.country_defaults
),

timezones as (
    select distinct timezone from core.timezone_offsets
)

select
    profiles.contact_id,
    profiles.email,
    profiles.first_name,
    profiles.last_name,
    salutations.salutation,
    profiles.salutation_given,
    salutations.salutation_verdict,
    -- What the person chose; else what is spoken where it lives; else what most people read.
    coalesce(profiles.language, countries.language, '{{ default_language }}') as language,
    profiles.country_code,
    coalesce(
        timezones.timezone, countries.timezone, '{{ default_timezone }}'
    ) as timezone,
    profiles.address_line,
    profiles.zip,
    profiles.city,
    profiles.phone,
    birthdays.date_of_birth,
    profiles.job_title,
    profiles.company_name,
    profiles.company_id,
    profiles.persona,
    profiles.buying_role,
    profiles.followers,
    profiles.owner_id,
    coalesce(email_consents.state, 'none') as email_consent,
    email_consents.occurred_at as email_consent_at,
    email_consents.basis as email_consent_basis,
    email_consents.source as email_consent_source,
    profiles.customer_id,
    profiles.crm_contact_id,
    profiles.crm_lifecycle_stage,
    profiles.crm_lead_status,
    split_part(profiles.contact_id, '-', 1) as source,
    profiles.is_archived,
    profiles.created_at
from profiles
left join salutations on profiles.contact_id = salutations.contact_id
left join countries on profiles.country_code = countries.country_code
left join timezones on profiles.timezone = timezones.timezone
left join birthdays on profiles.contact_id = birthdays.contact_id
left join email_consents on profiles.contact_id = email_consents.contact_id
