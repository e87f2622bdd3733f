-- People who live in Switzerland or Liechtenstein, which share post and customs.
-- owner: crm
-- grain: contact_id
with contacts as (
    select * from core.contacts
    where not is_archived
)

select contact_id
from contacts
where country_code in ('CH', 'LI')
