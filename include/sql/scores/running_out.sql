-- What buyers will have used up, by the week in which that is so, a product a row; and when it was
-- bought again, once it was. What was bought again before anybody was to be reminded is left out.
-- answers: Who runs out of what in which week? Was it bought again?
-- owner: crm
-- grain: contact_id, product_id, bought_on
{% set shortest_interval_days = 14 %}
{% set days_before_week = 4 %}
{% set looked_back_days = 45 %}
{% set looked_ahead_days = 14 %}
with replenishment as (
    select * from scores.replenishment
    where interval_days >= {{ shortest_interval_days }}
),

purchases as (
    select * from core.consumable_purchases
    where bought_again_at is not null
),

products as (
    -- What cannot be had is nothing to be reminded of.
    select product_id from core.products
    where is_available and url is not null
),

used_up as (
    select
        contact_id,
        product_id,
        last_bought_on as bought_on,
        due_on,
        basis,
        cast(null as timestamp) as bought_again_at
    from replenishment
    union all
    select
        purchases.contact_id,
        purchases.product_id,
        purchases.bought_on,
        ADD_DAYS(
            purchases.bought_on,
            cast(
                ceil(
                    cast(
                        RATIO(
                            replenishment.interval_days * purchases.quantity,
                            replenishment.quantity
                        ) as decimal(18, 6)
                    )
                ) as bigint
            )
        ) as due_on,
        replenishment.basis,
        purchases.bought_again_at
    from purchases
    inner join replenishment
        on
            purchases.contact_id = replenishment.contact_id
            and purchases.product_id = replenishment.product_id
    where DAYS_BETWEEN(replenishment.last_bought_on, {{ as_of }}) <= {{ looked_back_days }}
),

by_week as (
    select
        *,
        cast(date_trunc('week', due_on) as date) as week
    from used_up
    where
        due_on >= ADD_DAYS(cast({{ as_of }} as date), -{{ looked_back_days }})
        and due_on <= ADD_DAYS(cast({{ as_of }} as date), {{ looked_ahead_days }})
),

reminded as (
    select
        *,
        cast(ADD_DAYS(week, -{{ days_before_week }}) as timestamp) as remind_at
    from by_week
)

select
    reminded.contact_id,
    reminded.product_id,
    reminded.bought_on,
    reminded.due_on,
    reminded.week,
    reminded.remind_at,
    reminded.basis,
    reminded.bought_again_at
from reminded
inner join products on reminded.product_id = products.product_id
where reminded.bought_again_at is null or reminded.bought_again_at > reminded.remind_at
