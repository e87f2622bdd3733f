-- What each person said about marketing mail, wherever it was said, statement by statement.
-- owner: crm
-- grain: source, source_id, occurred_at
with shop_consents as (
    select * from staging.shop_consents
),

crm_contacts as (
    select * from staging.crm_contacts
),

suppressions as (
    select * from core.suppressions
),

ledger_consents as (
    -- Confirmed by following a link; what was revoked is a suppression, too.
    select * from staging.ledger_consents
    where channel = 'email' and topic = 'marketing' and state = 'granted'
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

address_keys as (
    select
        source_id,
        contact_id
    from core.contact_keys
    where source = 'mail'
)

select
    customer_keys.contact_id,
    'shop' as source,
    shop_consents.customer_id as source_id,
    shop_consents.stated_at as occurred_at,
    shop_consents.state,
    shop_consents.basis
from shop_consents
inner join customer_keys on shop_consents.customer_id = customer_keys.source_id
union all
select
    crm_keys.contact_id,
    'crm' as source,
    crm_contacts.crm_contact_id as source_id,
    crm_contacts.opted_out_at as occurred_at,
    'revoked' as state,
    cast(null as varchar) as basis
from crm_contacts
inner join crm_keys on crm_contacts.crm_contact_id = crm_keys.source_id
where crm_contacts.has_opted_out
union all
select
    contact_id,
    'ledger' as source,
    suppression_id as source_id,
    created_at as occurred_at,
    'revoked' as state,
    cast(null as varchar) as basis
from suppressions
where
    reason in ('opt_out', 'complaint')
    and channel in ('email', 'all')
    and contact_id is not null
union all
select
    address_keys.contact_id,
    'ledger' as source,
    'consent-' || ledger_consents.consent_id as source_id,
    ledger_consents.stated_at as occurred_at,
    'granted' as state,
    ledger_consents.basis
from ledger_consents
inner join address_keys on ledger_consents.address = address_keys.source_id
