-- Customers whom the CRM calls evangelists.
-- owner: crm
-- grain: contact_id
with stages as (
    select * from lifecycle.stage
)

select contact_id
from stages
where stage = 'evangelist'
