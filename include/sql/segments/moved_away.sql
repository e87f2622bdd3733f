-- People whose post came back from the address that we still know: to be asked for the new one.
-- owner: data
-- grain: contact_id
with findings as (
    select * from core.contact_findings
)

select distinct contact_id
from findings
where finding = 'returned' and field = 'address'
