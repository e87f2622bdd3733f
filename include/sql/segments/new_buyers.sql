-- Very recent buyers with a small first order.
-- owner: crm
-- grain: contact_id
with buyers as (
    select * from scores.rfm
)

select contact_id
from buyers
where cell = 'new'
