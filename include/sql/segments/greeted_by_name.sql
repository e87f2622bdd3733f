-- People whose salutation and last name are known, so that a letter can begin with them.
-- owner: crm
-- grain: contact_id
with contacts as (
    select * from core.contacts
    where not is_archived
)

select contact_id
from contacts
where salutation is not null and last_name is not null
