-- People who are written to in English.
-- owner: crm
-- grain: contact_id
with contacts as (
    select * from core.contacts
    where not is_archived
)

select contact_id
from contacts
where language = 'en'
