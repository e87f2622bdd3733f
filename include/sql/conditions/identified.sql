-- When each person was first recognised in a browser: by logging in, or by giving the address.
-- owner: crm
-- grain: contact_id, occurred_at
with visitors as (
    select * from core.visitors
    where contact_id is not null and recognised_at is not null
)

select distinct
    contact_id,
    recognised_at as occurred_at
from visitors
