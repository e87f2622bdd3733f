-- When each buyer will have used up what it bought: the days a piece lasts, by the person's own
-- intervals or else everybody's, times the pieces bought last. Buying again moves the date on.
-- answers: Who will run out of what, and when?
-- owner: crm
-- grain: contact_id, product_id
{% set own_intervals = 2 %}
with products as (
    select product_id from core.products
    where is_available
),

purchases as (
    select * from core.consumable_purchases
),

product_usage as (
    select * from core.product_usage
),

own_usage as (
    select
        contact_id,
        product_id,
        MEDIAN(days_a_piece) as days_a_piece
    from purchases
    where days_a_piece is not null
    group by contact_id, product_id
    having count(*) >= {{ own_intervals }}
),

last_purchases as (
    select
        purchases.contact_id,
        purchases.product_id,
        purchases.bought_on as last_bought_on,
        purchases.quantity,
        case when own_usage.contact_id is null then 'product' else 'own' end as basis,
        cast(
            ceil(
                cast(
                    coalesce(own_usage.days_a_piece, product_usage.days_a_piece)
                    * purchases.quantity as decimal(18, 6)
                )
            ) as bigint
        ) as interval_days
    from purchases
    inner join products on purchases.product_id = products.product_id
    left join own_usage
        on
            purchases.contact_id = own_usage.contact_id
            and purchases.product_id = own_usage.product_id
    left join product_usage on purchases.product_id = product_usage.product_id
    where purchases.bought_again_at is null
)

select
    contact_id,
    product_id,
    last_bought_on,
    quantity,
    interval_days,
    ADD_DAYS(last_bought_on, interval_days) as due_on,
    basis
from last_purchases
where interval_days is not null
