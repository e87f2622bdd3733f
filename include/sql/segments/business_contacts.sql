-- People of whom the company they work for is known.
-- owner: sales
-- grain: contact_id
with contacts as (
    select * from core.contacts
    where not is_archived
)

select contact_id
from contacts
where company_id is not null or company_name is not null
