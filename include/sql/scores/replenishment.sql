-- When each buyer will have used up what it bought: the days a piece lasts, by the person's own
-- intervals or else everybody's, times the pieces bought last. Buying again moves the date on.
-- answers: Who will run out of what, and when?
-- owner: crm
-- grain: contact_id, product_id
{% set consumable_tag = "consumable" %}
{% set own_intervals = 2 %}
{% set product_intervals = 5 %}
with products as (
    select product_id from core.products
    where is_available and ';' || tags || ';' like '%;{{ consumable_tag }};%'
),

purchases as (
    select
        order_items.contact_id,
        order_items.product_id,
        cast(order_items.ordered_at as date) as bought_on,
        sum(order_items.net_quantity) as quantity
    from core.order_items
    inner join products on order_items.product_id = products.product_id
    where
        order_items.is_valid
        and order_items.net_quantity > 0
        and order_items.contact_id is not null
    group by
        order_items.contact_id, order_items.product_id, cast(order_items.ordered_at as date)
),

habits as (
    select
        contact_id,
        product_id,
        max(bought_on) as last_bought_on,
        count(*) - 1 as intervals
    from purchases
    group by contact_id, product_id
),

repeated as (
    select
        purchases.contact_id,
        purchases.product_id,
        purchases.bought_on,
        purchases.quantity,
        lead(purchases.bought_on) over (
            partition by purchases.contact_id, purchases.product_id
            order by purchases.bought_on
        ) as next_bought_on
    from purchases
    inner join habits
        on
            purchases.contact_id = habits.contact_id
            and purchases.product_id = habits.product_id
    -- Most people buy most things once; only the others are sorted.
    where habits.intervals > 0
),

intervals as (
    select
        contact_id,
        product_id,
        RATIO(DAYS_BETWEEN(bought_on, next_bought_on), quantity) as days_a_piece
    from repeated
    where next_bought_on is not null
),

own as (
    select
        contact_id,
        product_id,
        MEDIAN(days_a_piece) as days_a_piece
    from intervals
    group by contact_id, product_id
    having count(*) >= {{ own_intervals }}
),

everybody as (
    select
        product_id,
        MEDIAN(days_a_piece) as days_a_piece
    from intervals
    group by product_id
    having count(*) >= {{ product_intervals }}
),

lasting as (
    select
        habits.contact_id,
        habits.product_id,
        habits.last_bought_on,
        purchases.quantity,
        case when own.contact_id is null then 'product' else 'own' end as basis,
        cast(
            ceil(
                cast(
                    coalesce(own.days_a_piece, everybody.days_a_piece) * purchases.quantity
                    as decimal(18, 6)
                )
            ) as bigint
        ) as interval_days
    from habits
    inner join purchases
        on
            habits.contact_id = purchases.contact_id
            and habits.product_id = purchases.product_id
            and habits.last_bought_on = purchases.bought_on
    left join own
        on habits.contact_id = own.contact_id and habits.product_id = own.product_id
    left join everybody on habits.product_id = everybody.product_id
)

select
    contact_id,
    product_id,
    last_bought_on,
    cast(quantity as bigint) as quantity,
    interval_days,
    ADD_DAYS(last_bought_on, interval_days) as due_on,
    basis
from lasting
where interval_days is not null
