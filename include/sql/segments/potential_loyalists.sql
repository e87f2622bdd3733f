-- Recent buyers on their way to loyalty: a few orders, or a good first one.
-- owner: crm
-- grain: contact_id
with buyers as (
    select * from scores.rfm
)

select contact_id
from buyers
where cell = 'potential_loyalist'
