-- A known person left a checkout with something in it and did not complete it.
-- owner: crm
-- grain: occurrence_id
with carts as (
    select * from core.open_carts
)

select
    contact_id,
    checkout_id as occurrence_id,
    -- The last change to the cart: who is still filling it has not left it.
    updated_at as occurred_at,
    item_count,
    total_quantity,
    total_amount,
    currency,
    url
from carts
