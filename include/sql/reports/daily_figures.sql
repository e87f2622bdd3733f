-- The figures the business is steered by, day by day; a day without one has no row. Mails count
-- on the day they were sent, the list's change on the Monday of its week.
-- answers: How do revenue, orders, leads and mails develop?
-- owner: crm
-- grain: figure, day
with orders as (
    select
        contact_id,
        cast(ordered_at as date) as day,
        net_amount,
        row_number() over (partition by contact_id order by ordered_at, order_id) as number
    from core.orders
    -- What was sent back whole was not bought.
    where is_valid and net_amount > 0
),

subscriptions as (
    select
        contact_id,
        cast(min(started_at) as date) as day
    from core.subscriptions
    group by contact_id
),

qualifications as (
    select
        contact_id,
        cast(min(qualified_at) as date) as day
    from lifecycle.qualifications
    where level = 'mql'
    group by contact_id
),

messages as (
    select
        cast(sent_at as date) as day,
        count(delivered_at) as delivered,
        count(clicked_at) as clicked,
        count(complained_at) as complained
    from core.message_outcomes
    where sent_at is not null and channel = 'mail'
    group by cast(sent_at as date)
),

attribution as (
    select
        cast(ordered_at as date) as day,
        last_touch_revenue
    from reports.attribution
    where channel = 'mail' and last_touch_credit = 1
),

list_growth as (
    select
        week,
        net_change
    from reports.list_growth
),

sales as (
    select
        day,
        sum(net_amount) as revenue,
        count(*) as orders,
        -- An order of nobody known is neither a first one nor a further one.
        count(case when number = 1 then contact_id end) as new_customers,
        count(case when number > 1 then contact_id end) as repeat_orders
    from orders
    group by day
),

figures as (
    select
        'revenue' as figure,
        day,
        revenue as value
    from sales
    union all
    select
        'orders' as figure,
        day,
        orders as value
    from sales
    union all
    select
        'new_customers' as figure,
        day,
        new_customers as value
    from sales
    union all
    select
        'repeat_orders' as figure,
        day,
        repeat_orders as value
    from sales
    union all
    select
        'new_subscribers' as figure,
        day,
        count(*) as value
    from subscriptions
    group by day
    union all
    select
        'mqls' as figure,
        day,
        count(*) as value
    from qualifications
    group by day
    union all
    select
        'delivered' as figure,
        day,
        delivered as value
    from messages
    union all
    select
        'clicked' as figure,
        day,
        clicked as value
    from messages
    union all
    select
        'complained' as figure,
        day,
        complained as value
    from messages
    union all
    select
        'mail_revenue' as figure,
        day,
        sum(last_touch_revenue) as value
    from attribution
    group by day
    union all
    select
        'list_change' as figure,
        week as day,
        net_change as value
    from list_growth
)

select
    figure,
    day,
    cast(value as decimal(18, 2)) as value
from figures
where value <> 0
