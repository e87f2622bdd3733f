-- People whose post came back because they have died: nobody should write to them.
-- owner: crm
-- grain: contact_id
with findings as (
    select * from core.contact_findings
)

select distinct contact_id
from findings
where finding = 'deceased'
