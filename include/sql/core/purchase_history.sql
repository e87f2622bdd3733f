-- How often, how recently and for how much each buyer bought, net of refunds, in the terms of the
-- purchase models: several orders on a day are one purchase, and the first is not counted.
-- answers: How often, how recently and for how much does each customer buy?
-- owner: crm
-- grain: contact_id
with orders as (
    select
        contact_id,
        ordered_at,
        cast(ordered_at as date) as purchased_on,
        net_amount
    from core.orders
    -- What was sent back whole was not bought.
    where is_valid and contact_id is not null and net_amount > 0
),

purchases as (
    select
        contact_id,
        purchased_on,
        min(ordered_at) as first_ordered_at,
        max(ordered_at) as last_ordered_at,
        count(*) as orders,
        sum(net_amount) as net_amount
    from orders
    group by contact_id, purchased_on
),

buyers as (
    select
        contact_id,
        min(purchased_on) as first_purchased_on,
        min(first_ordered_at) as first_ordered_at,
        max(last_ordered_at) as last_ordered_at,
        count(*) - 1 as frequency,
        sum(orders) as orders,
        sum(net_amount) as net_amount
    from purchases
    group by contact_id
)

select
    buyers.contact_id,
    cast(buyers.orders as bigint) as orders,
    cast(buyers.frequency as bigint) as frequency,
    -- From the first purchase to the last, and from the first to now.
    DAYS_BETWEEN(buyers.first_ordered_at, buyers.last_ordered_at) as recency_days,
    DAYS_BETWEEN(buyers.first_ordered_at, {{ as_of }}) as age_days,
    DAYS_BETWEEN(buyers.last_ordered_at, {{ as_of }}) as days_since_last,
    cast(buyers.net_amount as decimal(18, 2)) as net_amount,
    cast(buyers.net_amount - purchases.net_amount as decimal(18, 2)) as repeat_amount,
    buyers.first_ordered_at,
    buyers.last_ordered_at
from buyers
inner join purchases
    on
        buyers.contact_id = purchases.contact_id
        and buyers.first_purchased_on = purchases.purchased_on
