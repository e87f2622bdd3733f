-- A buyer has ordered nothing for so long that it may be lost: half a year, or the span that
-- seeds.winback_spans has for what was in the last order, the shortest of them.
-- owner: crm
-- grain: occurrence_id
{% set default_days = 180 %}
{% set shortest_days = 60 %}
{% set longest_days = 400 %}
{% set asked_for_days = 60 %}
with orders as (
    select
        contact_id,
        order_id,
        ordered_at
    from core.orders
    where
        is_valid
        and contact_id is not null
        and net_amount > 0
        and DAYS_BETWEEN(ordered_at, {{ as_of }}) <= {{ longest_days }} + {{ asked_for_days }}
),

order_items as (
    select
        order_id,
        product_id
    from core.order_items
    where net_quantity > 0
),

products as (
    select
        product_id,
        product_type
    from core.products
),

spans as (
    select * from seeds.winback_spans
),

followed as (
    -- Who has ordered again since keeps the occurrence, so that the flow ends at its goal.
    select
        *,
        coalesce(
            lead(cast(ordered_at as date)) over (
                partition by contact_id order by ordered_at, order_id
            ),
            cast({{ as_of }} as date)
        ) as silent_until
    from orders
),

gaps as (
    select
        contact_id,
        order_id,
        ordered_at,
        DAYS_BETWEEN(ordered_at, silent_until) as gap_days
    from followed
    where DAYS_BETWEEN(ordered_at, silent_until) >= {{ shortest_days }}
),

lapses as (
    select
        gaps.contact_id,
        gaps.order_id,
        gaps.ordered_at,
        gaps.gap_days,
        min(coalesce(spans.days, {{ default_days }})) as span_days
    from gaps
    left join order_items on gaps.order_id = order_items.order_id
    left join products on order_items.product_id = products.product_id
    left join spans on products.product_type = spans.product_type
    group by gaps.contact_id, gaps.order_id, gaps.ordered_at, gaps.gap_days
),

dated as (
    select
        contact_id,
        order_id,
        ordered_at,
        span_days,
        cast(ADD_DAYS(cast(ordered_at as date), span_days) as timestamp) as occurred_at
    from lapses
    where gap_days >= span_days
)

select
    contact_id,
    order_id as occurrence_id,
    occurred_at,
    ordered_at as last_ordered_at,
    cast(span_days as bigint) as span_days
from dated
where DAYS_BETWEEN(occurred_at, {{ as_of }}) <= {{ asked_for_days }}
