-- Contacts that share one address. Records with the same address are one contact already, so this
-- is an address given by so many that it is a placeholder: nobody behind it can be meant.
-- owner: crm
-- grain: contact_id
with contacts as (
    select * from core.contacts
    where email is not null
),

suppressions as (
    select * from staging.ledger_suppressions
    -- What was lifted stays so: the address is as it was.
    where channel in ('email', 'all')
),

shared as (
    -- Namesakes are no duplicates here, but in core.contact_findings: they may be two people.
    select
        *,
        count(*) over (partition by email) as holders
    from contacts
)

select
    shared.contact_id,
    shared.email,
    'duplicate' as reason,
    'one of ' || cast(shared.holders as varchar) || ' contacts with this address' as evidence
from shared
where
    shared.holders > 1
    and not exists (
        select 1 from suppressions
        where suppressions.email = shared.email and suppressions.reason = 'duplicate'
    )
