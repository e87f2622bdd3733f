-- The moments at which a person's consent to marketing mail began to hold.
-- owner: crm
-- grain: contact_id, occurred_at
with subscriptions as (
    select * from core.subscriptions
)

select
    contact_id,
    started_at as occurred_at
from subscriptions
