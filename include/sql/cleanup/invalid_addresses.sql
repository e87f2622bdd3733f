-- Contacts whose only address is none that a mail could be sent to.
-- owner: crm
-- grain: contact_id
with contacts as (
    select * from core.contacts
    where email is null and not is_archived
),

contact_keys as (
    select * from core.contact_keys
),

shop_customers as (
    select * from staging.shop_customers
),

crm_contacts as (
    select * from staging.crm_contacts
    where not is_archived
),

suppressions as (
    select * from core.suppressions
),

given as (
    select
        contact_keys.contact_id,
        shop_customers.email_given as email,
        'shop' as source
    from shop_customers
    inner join contact_keys
        on contact_keys.source = 'shop' and shop_customers.customer_id = contact_keys.source_id
    union all
    select
        contact_keys.contact_id,
        crm_contacts.email_given as email,
        'crm' as source
    from crm_contacts
    inner join contact_keys
        on contact_keys.source = 'crm' and crm_contacts.crm_contact_id = contact_keys.source_id
),

ranked as (
    select
        *,
        row_number() over (partition by contact_id order by source desc, email asc) as place
    from given
    where email is not null
)

select
    contacts.contact_id,
    ranked.email,
    'invalid_address' as reason,
    'malformed address in the ' || ranked.source as evidence
from contacts
inner join ranked on contacts.contact_id = ranked.contact_id and ranked.place = 1
where
    not exists (
        select 1 from suppressions
        where suppressions.email = ranked.email and suppressions.reason = 'invalid_address'
    )
