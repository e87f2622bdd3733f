-- People who have never bought anything, or sent everything back.
-- owner: crm
-- grain: contact_id
with contacts as (
    select * from core.contacts
    where not is_archived
),

buyers as (
    select * from scores.rfm
)

select contacts.contact_id
from contacts
where
    not exists (
        select 1 from buyers
        where buyers.contact_id = contacts.contact_id
    )
