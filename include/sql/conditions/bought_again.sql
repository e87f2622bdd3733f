-- A person has bought everything again that it ran out of in a week (scores.running_out), by that
-- week's occurrence in triggers.replenishment_due.
-- owner: crm
-- grain: contact_id, occurrence_id
with running_out as (
    select * from scores.running_out
)

select
    contact_id,
    cast(week as varchar) as occurrence_id,
    max(bought_again_at) as occurred_at
from running_out
group by contact_id, week
having count(bought_again_at) = count(*)
