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

products as (
    -- What cannot be had is nothing to be reminded of.
    select product_id from core.products
    where is_available and url is not null
),

bought_lately as (
    select * from replenishment
    where DAYS_BETWEEN(last_bought_on, {{ as_of }}) <= {{ looked_back_days }}
),

purchases as (
    select
        order_items.contact_id,
        order_items.product_id,
        cast(order_items.ordered_at as date) as bought_on,
        min(order_items.ordered_at) as bought_at,
        sum(order_items.net_quantity) as quantity
    from core.order_items as order_items
    inner join bought_lately
        on
            order_items.contact_id = bought_lately.contact_id
            and order_items.product_id = bought_lately.product_id
    where order_items.is_valid and order_items.net_quantity > 0
    group by
        order_items.contact_id, order_items.product_id, cast(order_items.ordered_at as date)
),

followed as (
    select
        *,
        lead(bought_at) over (
            partition by contact_id, product_id order by bought_on
        ) as bought_again_at
    from purchases
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
        followed.contact_id,
        followed.product_id,
        followed.bought_on,
        ADD_DAYS(
            followed.bought_on,
            cast(
                ceil(
                    cast(
                        RATIO(
                            bought_lately.interval_days * followed.quantity, bought_lately.quantity
                        ) as decimal(18, 6)
                    )
                ) as bigint
            )
        ) as due_on,
        bought_lately.basis,
        followed.bought_again_at
    from followed
    inner join bought_lately
        on
            followed.contact_id = bought_lately.contact_id
            and followed.product_id = bought_lately.product_id
    where followed.bought_again_at is not null
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
