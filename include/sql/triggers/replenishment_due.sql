-- A week before a buyer has used up a consumable (scores.replenishment): by its own interval, else
-- by everybody's. Buying it again moves the date on and begins a new occurrence.
-- owner: crm
-- grain: contact_id, occurrence_id
{% set days_before = 7 %}
{% set shortest_interval_days = 14 %}
{% set asked_for_days = 30 %}
with replenishment as (
    select * from scores.replenishment
    where interval_days >= {{ shortest_interval_days }}
),

products as (
    select * from core.products
    where is_available and url is not null
),

-- Who has just bought again keeps the occurrence of the purchase before: the flow ends at its goal.
bought_again as (
    select * from replenishment
    where DAYS_BETWEEN(last_bought_on, {{ as_of }}) <= {{ asked_for_days }}
),

purchases_before as (
    select
        order_items.contact_id,
        order_items.product_id,
        cast(order_items.ordered_at as date) as bought_on,
        sum(order_items.net_quantity) as quantity
    from core.order_items as order_items
    inner join bought_again
        on
            order_items.contact_id = bought_again.contact_id
            and order_items.product_id = bought_again.product_id
    where
        order_items.is_valid
        and order_items.net_quantity > 0
        and cast(order_items.ordered_at as date) < bought_again.last_bought_on
    group by
        order_items.contact_id, order_items.product_id, cast(order_items.ordered_at as date)
),

ranked as (
    select
        *,
        row_number() over (
            partition by contact_id, product_id order by bought_on desc
        ) as place
    from purchases_before
),

used_up as (
    select
        contact_id,
        product_id,
        last_bought_on as bought_on,
        due_on,
        basis
    from replenishment
    union all
    select
        ranked.contact_id,
        ranked.product_id,
        ranked.bought_on,
        ADD_DAYS(
            ranked.bought_on,
            cast(
                ceil(
                    cast(
                        RATIO(bought_again.interval_days * ranked.quantity, bought_again.quantity)
                        as decimal(18, 6)
                    )
                ) as bigint
            )
        ) as due_on,
        bought_again.basis
    from ranked
    inner join bought_again
        on
            ranked.contact_id = bought_again.contact_id
            and ranked.product_id = bought_again.product_id
    where ranked.place = 1
),

announced as (
    select
        *,
        cast(ADD_DAYS(due_on, -{{ days_before }}) as timestamp) as occurred_at
    from used_up
)

select
    announced.contact_id,
    announced.product_id || '-' || cast(announced.bought_on as varchar) as occurrence_id,
    announced.occurred_at,
    announced.product_id,
    products.title,
    products.image_url,
    products.url,
    products.unit_amount,
    announced.bought_on,
    announced.due_on,
    announced.basis
from announced
inner join products on announced.product_id = products.product_id
where
    announced.occurred_at <= {{ as_of }}
    and announced.occurred_at >= {{ as_of }} - interval '{{ asked_for_days }} days'
