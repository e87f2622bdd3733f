-- A product that a person wished for, left in a cart or looked at again and again has become
-- cheaper, or can be had again: once a person and change, while it holds and is not bought.
-- owner: crm
-- grain: contact_id, occurrence_id
{% set days_back = 4 %}
{% set compared_days = 30 %}
{% set lowest_drop = 0.05 %}
{% set wish_days = 365 %}
{% set cart_days = 90 %}
{% set views_from = 2 %}
with product_changes as (
    select
        product_id,
        changed_at,
        kind,
        new_amount
    from core.product_changes
    where DAYS_BETWEEN(changed_at, {{ as_of }}) <= {{ days_back }}
),

product_versions as (
    select
        product_id,
        updated_at,
        unit_amount
    from staging.shop_product_versions
),

products as (
    select * from core.products
    where is_available
),

wishes as (
    select * from core.wishes
    where DAYS_BETWEEN(last_wished_at, {{ as_of }}) <= {{ wish_days }}
),

product_views as (
    select * from core.product_views
    where views >= {{ views_from }}
),

carts as (
    select * from core.open_carts
    where DAYS_BETWEEN(updated_at, {{ as_of }}) <= {{ cart_days }}
),

cart_items as (
    select
        contact_id,
        occurrence_id as checkout_id,
        product_id
    from triggers.cart_abandoned_items
),

order_items as (
    select
        contact_id,
        product_id,
        ordered_at
    from core.order_items
    where is_valid
),

ranked_changes as (
    -- Of several changes of a kind and day the last one.
    select
        product_id,
        changed_at,
        kind,
        new_amount,
        row_number() over (
            partition by product_id, kind, cast(changed_at as date) order by changed_at desc
        ) as place
    from product_changes
),

prices as (
    select
        product_versions.product_id,
        product_versions.unit_amount,
        product_versions.updated_at as valid_from,
        lead(product_versions.updated_at) over (
            partition by product_versions.product_id order by product_versions.updated_at
        ) as valid_to
    from product_versions
    where
        exists (
            select 1 from product_changes
            where product_changes.product_id = product_versions.product_id
        )
),

compared as (
    -- A price is lower than the lowest of the 30 days before, or it is no news (Directive 98/6/EC,
    -- article 6a; PAngV, section 11).
    select
        ranked_changes.product_id,
        ranked_changes.changed_at,
        ranked_changes.kind,
        ranked_changes.new_amount,
        min(prices.unit_amount) as old_amount
    from ranked_changes
    left join prices
        on
            ranked_changes.product_id = prices.product_id
            and ranked_changes.changed_at > prices.valid_from
            and cast(ADD_DAYS(ranked_changes.changed_at, -{{ compared_days }}) as timestamp)
            < prices.valid_to
    where ranked_changes.place = 1
    group by
        ranked_changes.product_id,
        ranked_changes.changed_at,
        ranked_changes.kind,
        ranked_changes.new_amount
),

changes as (
    select
        compared.product_id,
        compared.changed_at,
        compared.kind,
        compared.old_amount,
        products.unit_amount,
        products.title,
        products.url,
        products.image_url
    from compared
    inner join products on compared.product_id = products.product_id
    where
        compared.kind = 'back_in_stock'
        or (
            RATIO(compared.new_amount, compared.old_amount) <= 1 - {{ lowest_drop }}
            -- Still so: it has not become dearer since.
            and products.unit_amount <= compared.new_amount
        )
),

changed_products as (
    select distinct product_id
    from changes
),

wanted as (
    select
        contact_id,
        product_id,
        wished_at as wanted_at,
        1 as strength
    from wishes
    union all
    select
        cart_items.contact_id,
        cart_items.product_id,
        carts.created_at as wanted_at,
        2 as strength
    from cart_items
    inner join carts on cart_items.checkout_id = carts.checkout_id
    union all
    select
        contact_id,
        product_id,
        first_viewed_at as wanted_at,
        3 as strength
    from product_views
),

wants as (
    select
        wanted.contact_id,
        wanted.product_id,
        min(wanted.wanted_at) as wanted_at,
        min(wanted.strength) as strength
    from wanted
    inner join changed_products on wanted.product_id = changed_products.product_id
    group by wanted.contact_id, wanted.product_id
),

last_orders as (
    select
        order_items.contact_id,
        order_items.product_id,
        max(order_items.ordered_at) as ordered_at
    from order_items
    inner join changed_products on order_items.product_id = changed_products.product_id
    group by order_items.contact_id, order_items.product_id
)

select
    wants.contact_id,
    changes.product_id
    || ':' || changes.kind
    || ':' || cast(cast(changes.changed_at as date) as varchar) as occurrence_id,
    changes.changed_at as occurred_at,
    changes.kind,
    case wants.strength when 1 then 'wish' when 2 then 'cart' else 'views' end as wanted_by,
    changes.product_id,
    changes.title,
    changes.url,
    changes.image_url,
    changes.unit_amount,
    cast(
        case changes.kind when 'price_drop' then changes.old_amount end as decimal(18, 2)
    ) as lowest_before,
    -- Rounded down, so that no more is promised than is true.
    case changes.kind
        when 'price_drop'
            then cast(
                floor(100 - RATIO(100 * changes.unit_amount, changes.old_amount)) as bigint
            )
    end as saved_percent
from wants
inner join changes
    on wants.product_id = changes.product_id and wants.wanted_at < changes.changed_at
left join last_orders
    on
        wants.contact_id = last_orders.contact_id
        and wants.product_id = last_orders.product_id
where last_orders.ordered_at is null or last_orders.ordered_at < wants.wanted_at
