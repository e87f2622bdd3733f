-- What each person said about marketing by text (SMS), wherever it was said, by statement.
-- owner: crm
-- grain: source, source_id, occurred_at
with shop_consents as (
    select * from staging.shop_sms_consents
),

ledger_consents as (
    select * from staging.ledger_consents
    where channel = 'sms' and topic = 'marketing'
),

customer_keys as (
    select
        source_id,
        contact_id
    from core.contact_keys
    where source = 'shop'
),

record_keys as (
    select
        record_id,
        contact_id
    from core.contact_keys
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
    record_keys.contact_id,
    'ledger' as source,
    ledger_consents.consent_id as source_id,
    ledger_consents.stated_at as occurred_at,
    ledger_consents.state,
    -- Who says START again takes back a STOP, and agrees as before.
    case
        when ledger_consents.state = 'granted'
            then coalesce(ledger_consents.basis, 'consent_soi')
    end as basis
from ledger_consents
inner join record_keys on ledger_consents.contact_id = record_keys.record_id
