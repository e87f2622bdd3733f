-- How much each buyer waits for discounts: the share of orders bought with one, from 0 to 1, drawn
-- to the share of all orders as long as a buyer has few.
-- answers: Who buys only with a discount? Who needs none?
-- owner: crm
-- grain: contact_id
{% set added_orders = 2 %}
with orders as (
    select
        contact_id,
        discount_amount,
        discount_codes
    from core.orders
    -- What was sent back whole was not bought.
    where is_valid and contact_id is not null and net_amount > 0
),

buyers as (
    select
        contact_id,
        count(*) as orders,
        count(case when discount_amount > 0 or discount_codes <> '' then 1 end) as discounted_orders
    from orders
    group by contact_id
),

everyone as (
    select RATIO(sum(discounted_orders), sum(orders)) as discounted_share
    from buyers
)

select
    buyers.contact_id,
    -- As if each had placed so many more orders, as average ones.
    cast(
        RATIO(
            buyers.discounted_orders + {{ added_orders }} * everyone.discounted_share,
            buyers.orders + {{ added_orders }}
        ) as decimal(18, 6)
    ) as score,
    cast(buyers.orders as bigint) as orders,
    cast(buyers.discounted_orders as bigint) as discounted_orders
from buyers
cross join everyone
