-- People whose first purchase was in the last 30 days.
-- owner: crm
-- grain: contact_id
{% set new_for_days = 30 %}
with orders as (
    select * from core.orders
    where is_valid and contact_id is not null and net_amount > 0
),

first_orders as (
    select
        contact_id,
        min(ordered_at) as ordered_at
    from orders
    group by contact_id
)

select contact_id
from first_orders
where DAYS_BETWEEN(ordered_at, {{ as_of }}) <= {{ new_for_days }}
