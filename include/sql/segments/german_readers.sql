-- People who are written to in German.
-- owner: crm
-- grain: contact_id
with contacts as (
    select * from core.contacts
    where not is_archived
)

select contact_id
from contacts
where language = 'de'
