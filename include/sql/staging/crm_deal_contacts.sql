-- Deals and the contacts they belong to, of the latest version of each deal only.
-- owner: sales
-- grain: deal_id, crm_contact_id
with links as (
    select * from raw.crm_deal_contacts
),

deals as (
    select
        deal_id,
        _run,
        _line
    from staging.crm_deals
)

-- The CRM lists a contact once for each kind of association.
select distinct
    deals.deal_id,
    links.crm_contact_id
from links
inner join deals
    on
        links._run = deals._run
        and links._line = deals._line
        and links.deal_id = deals.deal_id
