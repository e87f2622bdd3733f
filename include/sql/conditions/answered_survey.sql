-- The moments at which a person told us in a survey how content it is.
-- owner: crm
-- grain: contact_id, occurred_at
with answers as (
    select * from core.answers
    where question in ('satisfaction', 'recommend')
)

select distinct
    contact_id,
    answered_at as occurred_at
from answers
