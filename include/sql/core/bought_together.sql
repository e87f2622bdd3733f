-- What is bought in one order with a product, best first: the five with the largest share of the
-- orders with either product that hold both (Jaccard), of what can be bought.
-- answers: What is bought together?
-- owner: crm
-- grain: product_id, position
{% set keep = 5 %}
{% set minimum_orders = 3 %}
{% set most_products = 30 %}
with products as (
    select product_id from core.products
    where is_available
),

-- Two purchases of one person within weeks say what it likes, not what goes together.
contents as (
    select distinct
        order_id,
        product_id
    from core.order_items
    where is_valid and net_quantity > 0 and product_id is not null
),

order_sizes as (
    select order_id
    from contents
    group by order_id
    -- An order of a whole range says little, and its pairs grow with the square of its lines.
    having count(*) between 2 and {{ most_products }}
),

shared as (
    select
        contents.order_id,
        contents.product_id
    from contents
    inner join order_sizes on contents.order_id = order_sizes.order_id
),

pairs as (
    select
        one.product_id,
        other.product_id as other_product_id,
        count(*) as orders
    from shared as one
    inner join shared as other
        on one.order_id = other.order_id and one.product_id < other.product_id
    group by one.product_id, other.product_id
    having count(*) >= {{ minimum_orders }}
),

both_ways as (
    select
        product_id,
        other_product_id,
        orders
    from pairs
    union all
    select
        other_product_id as product_id,
        product_id as other_product_id,
        orders
    from pairs
),

sold as (
    select
        product_id,
        count(*) as orders
    from contents
    group by product_id
),

scored as (
    select
        both_ways.product_id,
        both_ways.other_product_id,
        both_ways.orders,
        cast(
            RATIO(both_ways.orders, sold.orders + other_sold.orders - both_ways.orders)
            as decimal(18, 6)
        ) as score
    from both_ways
    inner join products on both_ways.other_product_id = products.product_id
    inner join sold on both_ways.product_id = sold.product_id
    inner join sold as other_sold on both_ways.other_product_id = other_sold.product_id
),

ranked as (
    select
        *,
        row_number() over (
            partition by product_id order by score desc, orders desc, other_product_id asc
        ) as position
    from scored
)

select
    product_id,
    other_product_id,
    cast(position as bigint) as position,
    cast(orders as bigint) as orders,
    score
from ranked
where position <= {{ keep }}
