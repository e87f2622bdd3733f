-- When a product on sale became cheaper or could be had again, from one version to the next.
-- answers: What became cheaper, and what is back?
-- owner: crm
-- grain: product_id, changed_at, kind
with versions as (
    select
        product_id,
        updated_at as changed_at,
        coalesce(status = 'active', false) as is_active,
        unit_amount,
        stock_quantity,
        lag(unit_amount) over (partition by product_id order by updated_at) as old_amount,
        lag(stock_quantity) over (partition by product_id order by updated_at) as old_stock
    from staging.shop_product_versions
),

active as (
    select * from versions
    where is_active
)

select
    product_id,
    changed_at,
    'price_drop' as kind,
    cast(old_amount as decimal(18, 2)) as old_amount,
    unit_amount as new_amount
from active
where unit_amount < old_amount
union all
select
    product_id,
    changed_at,
    'back_in_stock' as kind,
    cast(old_amount as decimal(18, 2)) as old_amount,
    unit_amount as new_amount
from active
where stock_quantity > 0 and old_stock <= 0
