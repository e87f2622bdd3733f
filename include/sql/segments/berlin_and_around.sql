-- People in Berlin and the towns around it, by their German postcode.
-- owner: crm
-- grain: contact_id
with contacts as (
    select * from core.contacts
    where not is_archived
)

select contact_id
from contacts
where
    country_code = 'DE'
    and length(zip) = 5
    and left(zip, 2) in ('10', '12', '13', '14', '15', '16')
