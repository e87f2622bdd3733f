-- CRM companies: the latest version of each.
-- owner: data
-- grain: company_id
with versions as (
    select
        *,
        row_number() over (
            partition by company_id order by updated_at desc, _run desc, _line desc
        ) as recency
    from raw.crm_companies
)

select
    company_id,
    created_at,
    updated_at,
    coalesce(is_archived, false) as is_archived,
    nullif(trim(company_name), '') as company_name,
    lower(nullif(trim(domain), '')) as domain,
    nullif(trim(industry), '') as industry,
    employees,
    nullif(trim(city), '') as city,
    nullif(trim(country), '') as country
from versions
where recency = 1
