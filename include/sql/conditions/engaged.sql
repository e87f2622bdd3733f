-- The latest sign of life of each person: an open or a click by a human, a visit, an order, a word
-- with us. What machines open and click does not count.
-- owner: crm
-- grain: contact_id
with engagement as (
    select * from scores.engagement
    where last_engaged_at is not null
)

select
    contact_id,
    last_engaged_at as occurred_at
from engagement
