-- People who asked for the newsletter and have not confirmed their address yet.
-- owner: crm
-- grain: contact_id
with contacts as (
    select * from core.contacts
    where not is_archived
)

select contact_id
from contacts
where email_consent = 'pending' and email is not null
