-- Shop customers: the latest version of each, with a clean address, language and country.
-- owner: data
-- grain: customer_id
with versions as (
    select
        *,
        lower(trim(email)) as address,
        row_number() over (
            partition by customer_id order by updated_at desc, _run desc, _line desc
        ) as recency
    from raw.shop_customers
),

latest as (
    select
        *,
        -- The shop's own check, and what no mail server accepts.
        coalesce(email_valid_format, true)
        and address like '_%@_%.__%'
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
    replace(customer_id, 'gid://shopify/Customer/', '') as customer_id,
    coalesce(created_at, updated_at) as created_at,
    updated_at,
    nullif(trim(first_name), '') as first_name,
    nullif(trim(last_name), '') as last_name,
    case when is_valid then address end as email,
    nullif(address, '') as email_given,
    coalesce(is_valid, false) as is_email_valid,
    case
        when lower(locale) like 'de%' then 'de'
        when nullif(trim(locale), '') is not null then 'en'
    end as language,
    nullif(trim(country_code), '') as country_code,
    nullif(trim(address_line), '') as address_line,
    nullif(trim(city), '') as city,
    nullif(trim(zip), '') as zip,
    nullif(trim(phone), '') as phone,
    _run,
    _line
from latest
