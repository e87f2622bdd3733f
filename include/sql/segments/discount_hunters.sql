-- Buyers of three orders or more who nearly always wait for a discount.
-- owner: crm
-- grain: contact_id
{% set orders_from = 3 %}
{% set at_least = 3 %}
{% set of = 4 %}
with buyers as (
    select * from scores.discount_affinity
)

select contact_id
from buyers
where
    orders >= {{ orders_from }}
    and {{ of }} * discounted_orders >= {{ at_least }} * orders
