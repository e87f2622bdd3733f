-- What a person bought of a consumable on one day, all orders of that day together; and how many
-- days a piece lasted, once it was bought again. Pieces that were sent back do not count.
-- answers: Who buys which consumable, and how soon again?
-- owner: crm
-- grain: contact_id, product_id, bought_on
{% set consumable_tag = "consumable" %}
with products as (
    select product_id from core.products
    where ';' || tags || ';' like '%;{{ consumable_tag }};%'
),

order_items as (
    select
        contact_id,
        product_id,
        ordered_at,
        net_quantity
    from core.order_items
    where is_valid and net_quantity > 0 and contact_id is not null
),

purchases as (
    select
        order_items.contact_id,
        order_items.product_id,
        cast(order_items.ordered_at as date) as bought_on,
        min(order_items.ordered_at) as bought_at,
        sum(order_items.net_quantity) as quantity
    from order_items
    inner join products on order_items.product_id = products.product_id
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
)

select
    contact_id,
    product_id,
    bought_on,
    cast(quantity as bigint) as quantity,
    bought_again_at,
    RATIO(DAYS_BETWEEN(bought_on, bought_again_at), quantity) as days_a_piece
from followed
