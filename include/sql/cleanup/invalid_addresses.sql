-- Contacts whose only address is none that a mail could be sent to.
-- owner: crm
-- grain: contact_id
with contacts as (
    select * from core.contacts
    where email is null and not is_archived
),

customer_keys as (
    select
        source_id,
        contact_id
    from core.contact_keys
    where source = 'shop'
),

crm_keys as (
    select
        source_id,
        contact_id
    from core.contact_keys
    where source = 'crm'
),

shop_customers as (
    select * from staging.shop_customers
),

crm_contacts as (
    select * from staging.crm_contacts
    where not is_archived
),

suppressions as (
    select * from staging.ledger_suppressions
    -- What was lifted stays so: the address is as it was.
    where channel in ('email', 'all')
),

given as (
    select
        customer_keys.contact_id,
        shop_customers.email_given as email,
        'shop' as source
    from shop_customers
    inner join customer_keys on shop_customers.customer_id = customer_keys.source_id
    union all
    select
        crm_keys.contact_id,
        crm_contacts.email_given as email,
        'crm' as source
    from crm_contacts
    inner join crm_keys on crm_contacts.crm_contact_id = crm_keys.source_id
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
