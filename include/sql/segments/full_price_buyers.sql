-- Buyers of two orders or more who have never used a discount.
-- owner: crm
-- grain: contact_id
{% set orders_from = 2 %}
with buyers as (
    select * from scores.discount_affinity
)

select contact_id
from buyers
where orders >= {{ orders_from }} and discounted_orders = 0
