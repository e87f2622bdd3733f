-- Three products each buyer has not bought yet: what goes with the dearest line of the last order,
-- else best sellers; for those who only looked, best sellers of the type they care for most.
-- answers: What do we show this person next?
-- owner: crm
-- grain: contact_id, position
{% set keep = 3 %}
{% set candidates = 6 %}
with products as (
    select
        product_id,
        product_type
    from core.products
),

bought_together as (
    select * from core.bought_together
),

best_sellers as (
    select * from core.best_sellers
),

order_items as (
    select
        contact_id,
        product_id,
        ordered_at,
        net_amount
    from core.order_items
    where is_valid and product_id is not null
),

purchase_history as (
    select
        contact_id,
        last_ordered_at
    from core.purchase_history
),

product_affinity as (
    select
        contact_id,
        product_type
    from scores.product_affinity
    where position = 1
),

related as (
    select
        product_id as because_product_id,
        other_product_id as product_id,
        'bought_together' as basis,
        1 as precedence,
        position
    from bought_together
    union all
    select
        products.product_id as because_product_id,
        best_sellers.product_id,
        'best_seller_of_type' as basis,
        2 as precedence,
        best_sellers.position_in_type as position
    from products
    inner join best_sellers
        on
            products.product_type = best_sellers.product_type
            and best_sellers.position_in_type <= {{ candidates }}
    union all
    select
        products.product_id as because_product_id,
        best_sellers.product_id,
        'best_seller' as basis,
        3 as precedence,
        best_sellers.position
    from products
    inner join best_sellers on best_sellers.position <= {{ candidates }}
),

distinguished as (
    select
        *,
        row_number() over (
            partition by because_product_id, product_id order by precedence
        ) as mention
    from related
    where because_product_id <> product_id
),

listed as (
    select
        because_product_id,
        product_id,
        basis,
        row_number() over (partition by because_product_id order by precedence, position) as place
    from distinguished
    where mention = 1
),

last_lines as (
    select
        order_items.contact_id,
        order_items.product_id,
        row_number() over (
            partition by order_items.contact_id
            order by order_items.net_amount desc, order_items.product_id asc
        ) as place
    from order_items
    inner join purchase_history
        on
            order_items.contact_id = purchase_history.contact_id
            and order_items.ordered_at = purchase_history.last_ordered_at
),

latest as (
    select
        contact_id,
        product_id
    from last_lines
    where place = 1
),

owned as (
    select
        latest.contact_id,
        listed.place
    from latest
    inner join order_items on latest.contact_id = order_items.contact_id
    inner join listed
        on
            latest.product_id = listed.because_product_id
            and order_items.product_id = listed.product_id
            and listed.place <= {{ candidates }}
),

-- Most buyers own nothing of their list and get its head; only for the others it is ranked anew.
heads as (
    select
        latest.contact_id,
        listed.place as position,
        listed.product_id,
        listed.basis,
        latest.product_id as because_product_id
    from latest
    inner join listed
        on latest.product_id = listed.because_product_id and listed.place <= {{ keep }}
    where not exists (
        select 1 from owned
        where owned.contact_id = latest.contact_id
    )
),

remainders as (
    select
        latest.contact_id,
        row_number() over (partition by latest.contact_id order by listed.place) as position,
        listed.product_id,
        listed.basis,
        latest.product_id as because_product_id
    from latest
    inner join listed
        on latest.product_id = listed.because_product_id and listed.place <= {{ candidates }}
    where
        exists (
            select 1 from owned
            where owned.contact_id = latest.contact_id
        )
        and not exists (
            select 1 from owned
            where owned.contact_id = latest.contact_id and owned.place = listed.place
        )
),

everyone as (
    select
        contact_id,
        position,
        product_id,
        basis,
        because_product_id
    from heads
    union all
    select
        contact_id,
        position,
        product_id,
        basis,
        because_product_id
    from remainders
    where position <= {{ keep }}
    union all
    select
        product_affinity.contact_id,
        best_sellers.position_in_type as position,
        best_sellers.product_id,
        'best_seller_of_type' as basis,
        cast(null as varchar) as because_product_id
    from product_affinity
    inner join best_sellers
        on
            product_affinity.product_type = best_sellers.product_type
            and best_sellers.position_in_type <= {{ keep }}
    where not exists (
        select 1 from purchase_history
        where purchase_history.contact_id = product_affinity.contact_id
    )
)

select
    contact_id,
    cast(position as bigint) as position,
    product_id,
    basis,
    because_product_id
from everyone
