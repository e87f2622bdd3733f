-- CRM contacts: the latest version of each, with clean address, birthday, salutation and language.
-- owner: data
-- grain: crm_contact_id
{% set iso_day = "^[12][0-9]{3}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])" %}
{% set german_day = "^(0[1-9]|[12][0-9]|3[01])[.](0[1-9]|1[0-2])[.][12][0-9]{3}$" %}
with versions as (
    select
        *,
        lower(trim(email)) as address,
        lower(trim(country)) as country_name,
        lower(trim(salutation)) as title_given,
        -- HubSpot writes europe_slash_berlin.
        replace(
            replace(lower(trim(timezone)), '_slash_', '/'), '_hyphen_', '-'
        ) as timezone_name,
        row_number() over (
            partition by crm_contact_id order by updated_at desc, _run desc, _line desc
        ) as recency,
        max(case when not coalesce(has_opted_out, false) then updated_at end) over (
            partition by crm_contact_id
        ) as last_not_opted_out_at
    from raw.crm_contacts
),

opt_outs as (
    -- The CRM keeps only a flag; its moment is the first version that had it and kept it.
    select
        crm_contact_id,
        min(updated_at) as opted_out_at
    from versions
    where has_opted_out and (last_not_opted_out_at is null or updated_at > last_not_opted_out_at)
    group by crm_contact_id
),

countries as (
    select
        name,
        country_code
    from seeds.countries
),

timezones as (
    select
        timezone,
        lower(timezone) as timezone_name
    from seeds.timezones
),

latest as (
    select
        *,
        address like '_%@_%.__%'
        and address not like '%@%@%'
        and address not like '% %'
        and address not like '%..%'
        and address not like '.%'
        and address not like '%.@%'
        and address not like '%@.%'
        and address not like '%.' as is_valid,
        case
            when date_of_birth ~ '{{ iso_day }}' then left(date_of_birth, 10)
            when date_of_birth ~ '{{ german_day }}'
                then concat_ws(
                    '-',
                    right(date_of_birth, 4),
                    substring(date_of_birth, 4, 2),
                    left(date_of_birth, 2)
                )
        end as birthday
    from versions
    where recency = 1
),

dated as (
    select
        *,
        cast(right(birthday, 2) as bigint) as birthday_day,
        -- The 31st of February is no error here, but a day in March; it is left out below.
        ADD_DAYS(
            cast(left(birthday, 7) || '-01' as date), cast(right(birthday, 2) as bigint) - 1
        ) as birthday_date
    from latest
)

select
    dated.crm_contact_id,
    dated.created_at,
    dated.updated_at,
    coalesce(dated.is_archived, false) as is_archived,
    case when dated.is_valid then dated.address end as email,
    nullif(dated.address, '') as email_given,
    coalesce(dated.is_valid, false) as is_email_valid,
    nullif(trim(dated.first_name), '') as first_name,
    nullif(trim(dated.last_name), '') as last_name,
    -- A wrong salutation is worse than none: only these words are certain.
    case
        when dated.title_given in ('frau', 'fr.', 'mrs', 'mrs.', 'ms', 'ms.', 'miss') then 'Frau'
        when dated.title_given in ('herr', 'hr.', 'mr', 'mr.') then 'Herr'
    end as salutation,
    nullif(dated.title_given, '') as salutation_given,
    nullif(trim(dated.phone), '') as phone,
    nullif(trim(dated.job_title), '') as job_title,
    nullif(trim(dated.company_name), '') as company_name,
    nullif(dated.company_id, '') as company_id,
    nullif(trim(dated.address_line), '') as address_line,
    nullif(trim(dated.zip), '') as zip,
    nullif(trim(dated.city), '') as city,
    countries.country_code,
    case
        when lower(dated.language) like 'de%' then 'de'
        when nullif(trim(dated.language), '') is not null then 'en'
    end as language,
    timezones.timezone,
    case
        when extract(day from dated.birthday_date) = dated.birthday_day then dated.birthday_date
    end as date_of_birth,
    lower(nullif(trim(dated.persona), '')) as persona,
    lower(nullif(trim(dated.buying_role), '')) as buying_role,
    dated.followers,
    dated.bant_budget,
    lower(nullif(trim(dated.bant_authority), '')) as bant_authority,
    lower(nullif(trim(dated.bant_need), '')) as bant_need,
    lower(nullif(trim(dated.bant_timeframe), '')) as bant_timeframe,
    dated.bant_project,
    lower(nullif(trim(dated.lifecycle_stage), '')) as lifecycle_stage,
    lower(nullif(trim(dated.lead_status), '')) as lead_status,
    nullif(dated.owner_id, '') as owner_id,
    coalesce(dated.has_opted_out, false) as has_opted_out,
    opt_outs.opted_out_at,
    nullif(dated.merged_ids, '') as merged_ids,
    dated._run,
    dated._line
from dated
left join opt_outs on dated.crm_contact_id = opt_outs.crm_contact_id
left join countries on dated.country_name = countries.name
left join timezones on dated.timezone_name = timezones.timezone_name
