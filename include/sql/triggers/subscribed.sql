-- A person begins to receive marketing mail: gives consent, or gives it again after a revocation.
-- owner: crm
-- grain: contact_id, occurrence_id
with subscriptions as (
    select * from core.subscriptions
)

-- Who changes his mind twice a day has subscribed once.
select
    contact_id,
    cast(cast(started_at as date) as varchar) as occurrence_id,
    min(started_at) as occurred_at,
    cast(0 as bigint) as item_count
from subscriptions
group by contact_id, cast(cast(started_at as date) as varchar)
