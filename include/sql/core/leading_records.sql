-- One row for each person: the records of shop and CRM that speak for it, and how long it is known.
-- answers: Which shop account and which CRM contact stand for a person?
-- owner: crm
-- grain: contact_id
with records as (
    select * from core.records
)

select
    contact_id,
    max(case when source = 'shop' and place = 1 then source_id end) as customer_id,
    max(
        case when source = 'crm' and place = 1 and not is_archived then source_id end
    ) as crm_contact_id,
    -- Only a person without any account is written to at a mere address.
    case when sum(case when source = 'mail' then 0 else 1 end) = 0 then min(source_id) end as email,
    sum(case when is_archived then 0 else 1 end) = 0 as is_archived,
    min(created_at) as created_at
from records
group by contact_id
