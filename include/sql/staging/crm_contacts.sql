-- CRM contacts: the latest version of each, with a clean address, salutation, language and country.
-- owner: data
-- grain: crm_contact_id
with versions as (
    select
        *,
        lower(trim(email)) as address,
        lower(trim(country)) as country_name,
        lower(trim(salutation)) as title_given,
        row_number() over (
            partition by crm_contact_id order by updated_at desc, _run desc, _line desc
        ) as recency,
        max(case when not coalesce(has_opted_out, false) then updated_at end) over (
            partition by crm_contact_id
        ) as last_not_opted_out_at
    from raw.crm_contacts
    where updated_at < {{ as_of }}
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
        and address not like '%.' as is_valid
    from versions
    where recency = 1
)

select
    latest.crm_contact_id,
    latest.created_at,
    latest.updated_at,
    coalesce(latest.is_archived, false) as is_archived,
    case when latest.is_valid then latest.address end as email,
    nullif(latest.address, '') as email_given,
    coalesce(latest.is_valid, false) as is_email_valid,
    nullif(trim(latest.first_name), '') as first_name,
    nullif(trim(latest.last_name), '') as last_name,
    -- A wrong salutation is worse than none: only these words are certain.
    case
        when latest.title_given in ('frau', 'fr.', 'mrs', 'mrs.', 'ms', 'ms.', 'miss') then 'Frau'
        when latest.title_given in ('herr', 'hr.', 'mr', 'mr.') then 'Herr'
    end as salutation,
    nullif(trim(latest.phone), '') as phone,
    nullif(trim(latest.job_title), '') as job_title,
    nullif(trim(latest.company_name), '') as company_name,
    nullif(latest.company_id, '') as company_id,
    nullif(trim(latest.city), '') as city,
    case
        when latest.country_name in ('de', 'germany', 'deutschland') then 'DE'
        -- lower('Ö') is not the same on every engine.
        when latest.country_name in ('at', 'austria') then 'AT'
        when latest.country_name like '%sterreich' then 'AT'
        when latest.country_name in ('ch', 'switzerland', 'schweiz', 'suisse') then 'CH'
        when latest.country_name in ('li', 'liechtenstein') then 'LI'
        when latest.country_name in ('gb', 'uk', 'united kingdom', 'great britain') then 'GB'
        when latest.country_name in ('ie', 'ireland', 'irland') then 'IE'
        when latest.country_name in ('us', 'usa', 'united states') then 'US'
        when latest.country_name in ('fr', 'france', 'frankreich') then 'FR'
        when latest.country_name in ('nl', 'netherlands', 'niederlande') then 'NL'
        when latest.country_name in ('it', 'italy', 'italien') then 'IT'
        when latest.country_name in ('es', 'spain', 'spanien') then 'ES'
        when length(latest.country_name) = 2 then trim(latest.country)
    end as country_code,
    case
        when lower(latest.language) like 'de%' then 'de'
        when nullif(trim(latest.language), '') is not null then 'en'
    end as language,
    lower(nullif(trim(latest.lifecycle_stage), '')) as lifecycle_stage,
    lower(nullif(trim(latest.lead_status), '')) as lead_status,
    nullif(latest.owner_id, '') as owner_id,
    coalesce(latest.has_opted_out, false) as has_opted_out,
    opt_outs.opted_out_at,
    nullif(latest.merged_ids, '') as merged_ids,
    latest._run,
    latest._line
from latest
left join opt_outs on latest.crm_contact_id = opt_outs.crm_contact_id
