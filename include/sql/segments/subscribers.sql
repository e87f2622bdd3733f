-- Everyone who consented to marketing mail and has a valid address: the newsletter's audience.
-- owner: crm
-- grain: contact_id
with contacts as (
    select * from core.contacts
)

select contact_id
from contacts
where email_consent = 'granted' and email is not null
