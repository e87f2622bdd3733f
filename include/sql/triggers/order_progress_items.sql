-- What was bought and kept in an order of triggers.order_progress, the dearest first.
-- owner: crm
-- grain: contact_id, occurrence_id, position
with progress as (
    select
        contact_id,
        occurrence_id,
        order_id
    from triggers.order_progress
),

order_items as (
    select * from core.order_items
    where net_quantity > 0
),

products as (
    select * from core.products
),

positioned as (
    select
        progress.contact_id,
        progress.occurrence_id,
        order_items.product_id,
        order_items.title,
        order_items.unit_amount,
        order_items.net_quantity,
        row_number() over (
            partition by progress.occurrence_id
            order by order_items.net_amount desc, order_items.order_item_id asc
        ) as position
    from progress
    inner join order_items on progress.order_id = order_items.order_id
)

select
    positioned.contact_id,
    positioned.occurrence_id,
    cast(positioned.position as bigint) as position,
    positioned.product_id,
    coalesce(positioned.title, products.title) as title,
    products.image_url,
    products.url,
    positioned.unit_amount,
    positioned.net_quantity as quantity
from positioned
left join products on positioned.product_id = products.product_id
