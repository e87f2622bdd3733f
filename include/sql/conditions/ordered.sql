-- The moments at which a person placed an order.
-- owner: crm
-- grain: contact_id, occurred_at
with orders as (
    select * from core.orders
    where is_valid and contact_id is not null
)

select distinct
    contact_id,
    ordered_at as occurred_at
from orders
