-- People who do not want marketing mail any more.
-- owner: crm
-- grain: contact_id
with contacts as (
    select * from core.contacts
    where not is_archived
)

select contact_id
from contacts
where email_consent = 'revoked' and email is not null
