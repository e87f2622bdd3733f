-- People whose data has a flaw that costs something: a wrong address, a contradiction, test data.
-- owner: data
-- grain: contact_id
with findings as (
    select * from core.contact_findings
)

select distinct contact_id
from findings
where severity in ('high', 'medium')
