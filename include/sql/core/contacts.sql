-- One row for each person across shop and CRM: who it is, how to address it, and its consent.
-- owner: crm
-- grain: contact_id
{% set default_language = "en" %}
{% set default_timezone = "Europe/Berlin" %}
with contact_keys as (
    select * from core.contact_keys
    where source <> 'visitor'
),

shop_customers as (
    select * from staging.shop_customers
),

crm_contacts as (
    select * from staging.crm_contacts
),

addresses as (
    select * from staging.addresses
    where source = 'mail' and is_valid
),

consents as (
    select * from core.consents
),

shop_ranked as (
    select
        contact_keys.contact_id,
        shop_customers.*,
        -- Several shop accounts: the one used last that can be written to.
        row_number() over (
            partition by contact_keys.contact_id
            order by
                shop_customers.is_email_valid desc,
                shop_customers.updated_at desc,
                shop_customers.customer_id asc
        ) as place
    from contact_keys
    inner join shop_customers on contact_keys.source_id = shop_customers.customer_id
    where contact_keys.source = 'shop'
),

crm_ranked as (
    select
        contact_keys.contact_id,
        crm_contacts.*,
        row_number() over (
            partition by contact_keys.contact_id
            order by
                crm_contacts.is_email_valid desc,
                crm_contacts.updated_at desc,
                crm_contacts.crm_contact_id asc
        ) as place
    from contact_keys
    inner join crm_contacts on contact_keys.source_id = crm_contacts.crm_contact_id
    -- What was deleted or merged away in the CRM still identifies a person, but says nothing.
    where contact_keys.source = 'crm' and not crm_contacts.is_archived
),

shop as (
    select * from shop_ranked
    where place = 1
),

crm as (
    select * from crm_ranked
    where place = 1
),

born as (
    select
        contact_keys.contact_id,
        min(
            coalesce(
                shop_customers.created_at, crm_contacts.created_at, addresses.first_seen_at
            )
        ) as created_at,
        -- Only a person without any account is written to at a mere address.
        case
            when count(shop_customers.customer_id) + count(crm_contacts.crm_contact_id) = 0
                then min(addresses.email)
        end as email,
        count(shop_customers.customer_id)
        + count(case when not crm_contacts.is_archived then 1 end)
        + count(addresses.email) as live_records
    from contact_keys
    left join shop_customers
        on contact_keys.source = 'shop' and contact_keys.source_id = shop_customers.customer_id
    left join crm_contacts
        on contact_keys.source = 'crm' and contact_keys.source_id = crm_contacts.crm_contact_id
    left join addresses
        on contact_keys.source = 'mail' and contact_keys.source_id = addresses.email
    group by contact_keys.contact_id
),

consents_ranked as (
    select
        *,
        row_number() over (
            partition by contact_id
            order by
                -- An open question does not overrule an answer.
                case when state = 'pending' then 2 else 1 end asc,
                occurred_at desc,
                case when state = 'revoked' then 1 else 2 end asc,
                source asc,
                source_id asc
        ) as place
    from consents
),

joined as (
    select
        born.contact_id,
        born.created_at,
        born.live_records = 0 as is_archived,
        split_part(born.contact_id, '-', 1) as source,
        coalesce(shop.email, crm.email, born.email) as email,
        shop.customer_id,
        crm.crm_contact_id,
        coalesce(shop.first_name, crm.first_name) as first_name,
        coalesce(shop.last_name, crm.last_name) as last_name,
        crm.salutation,
        coalesce(shop.language, crm.language) as language,
        coalesce(shop.country_code, crm.country_code) as country_code,
        coalesce(shop.city, crm.city) as city,
        coalesce(shop.phone, crm.phone) as phone,
        crm.job_title,
        crm.company_name,
        crm.company_id,
        crm.owner_id,
        crm.lifecycle_stage as crm_lifecycle_stage,
        crm.lead_status as crm_lead_status
    from born
    left join shop on born.contact_id = shop.contact_id
    left join crm on born.contact_id = crm.contact_id
)

select
    joined.contact_id,
    joined.email,
    joined.first_name,
    joined.last_name,
    joined.salutation,
    -- What the person chose; else what is spoken where it lives; else what most people read.
    coalesce(
        joined.language,
        case when joined.country_code in ('DE', 'AT', 'CH', 'LI') then 'de' end,
        '{{ default_language }}'
    ) as language,
    joined.country_code,
    case
        when joined.country_code = 'AT' then 'Europe/Vienna'
        when joined.country_code in ('CH', 'LI') then 'Europe/Zurich'
        when joined.country_code = 'GB' then 'Europe/London'
        when joined.country_code = 'IE' then 'Europe/Dublin'
        when joined.country_code = 'US' then 'America/New_York'
        else '{{ default_timezone }}'
    end as timezone,
    joined.city,
    joined.phone,
    joined.job_title,
    joined.company_name,
    joined.company_id,
    joined.owner_id,
    coalesce(consents_ranked.state, 'none') as email_consent,
    consents_ranked.occurred_at as email_consent_at,
    consents_ranked.basis as email_consent_basis,
    consents_ranked.source as email_consent_source,
    joined.customer_id,
    joined.crm_contact_id,
    joined.crm_lifecycle_stage,
    joined.crm_lead_status,
    joined.source,
    joined.is_archived,
    joined.created_at
from joined
left join consents_ranked
    on joined.contact_id = consents_ranked.contact_id and consents_ranked.place = 1
