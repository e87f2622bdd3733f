-- What a person's leading records say of it: the shop's word first, and each address as a whole.
-- owner: crm
-- grain: contact_id
with leading_records as (
    select * from core.leading_records
),

shop_customers as (
    select
        *,
        coalesce(zip, city) is not null as has_address
    from staging.shop_customers
),

crm_contacts as (
    select * from staging.crm_contacts
)

select
    leading_records.contact_id,
    leading_records.customer_id,
    leading_records.crm_contact_id,
    leading_records.is_archived,
    leading_records.created_at,
    coalesce(shop.email, crm.email, leading_records.email) as email,
    coalesce(shop.first_name, crm.first_name) as first_name,
    coalesce(shop.last_name, crm.last_name) as last_name,
    coalesce(shop.language, crm.language) as language,
    -- An address is taken whole: the street of one record and the town of another is none.
    case
        when shop.has_address then coalesce(shop.country_code, crm.country_code)
        else coalesce(crm.country_code, shop.country_code)
    end as country_code,
    case when shop.has_address then shop.address_line else crm.address_line end as address_line,
    case when shop.has_address then shop.zip else crm.zip end as zip,
    case when shop.has_address then shop.city else crm.city end as city,
    coalesce(shop.phone, crm.phone) as phone,
    crm.timezone,
    crm.salutation as salutation_given,
    crm.job_title,
    crm.company_name,
    crm.company_id,
    crm.persona,
    crm.buying_role,
    crm.followers,
    crm.owner_id,
    crm.lifecycle_stage as crm_lifecycle_stage,
    crm.lead_status as crm_lead_status
from leading_records
left join shop_customers as shop on leading_records.customer_id = shop.customer_id
left join crm_contacts as crm on leading_records.crm_contact_id = crm.crm_contact_id
