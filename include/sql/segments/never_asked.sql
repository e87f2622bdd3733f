-- People with an address who have never said anything about marketing mail.
-- owner: crm
-- grain: contact_id
with contacts as (
    select * from core.contacts
    where not is_archived
)

select contact_id
from contacts
where email_consent = 'none' and email is not null
