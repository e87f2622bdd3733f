-- What moved each order, by five models side by side. The credits of an order add up to 1 and its
-- revenues to its net amount, to the cent; what nothing moved within the window is direct.
-- answers: Which touches led to this order? What would another model say?
-- owner: crm
-- grain: order_id, touch_id
{% set last_touch_window = "5 days" %}
{% set window_days = "30" %}
{% set half_life_days = "7" %}
with orders as (
    -- What was sent back whole was not bought.
    select
        order_id,
        contact_id,
        ordered_at,
        currency,
        net_amount,
        cast(floor(net_amount * 100) as bigint) as cents,
        DAYS_BETWEEN(date '2000-01-01', ordered_at) as day_number
    from core.orders
    where is_valid and net_amount > 0
),

touches as (
    select
        contact_id,
        touch_id,
        touched_at,
        received_at,
        type,
        channel,
        platform,
        campaign,
        message_key,
        DAYS_BETWEEN(date '2000-01-01', received_at) as day_number
    from core.attribution_touches
),

touch_blocks as (
    -- Time in blocks as long as the window, so that a person's orders meet only what is near them.
    select
        *,
        day_number - day_number % {{ window_days }} as block
    from touches
),

order_blocks as (
    select
        order_id,
        contact_id,
        ordered_at,
        day_number - day_number % {{ window_days }} as block
    from orders
    where contact_id is not null
    union all
    select
        order_id,
        contact_id,
        ordered_at,
        day_number - day_number % {{ window_days }} - {{ window_days }} as block
    from orders
    where contact_id is not null
),

pairs as (
    select
        order_blocks.order_id,
        order_blocks.ordered_at,
        touch_blocks.touch_id,
        touch_blocks.channel,
        touch_blocks.platform,
        touch_blocks.campaign,
        touch_blocks.message_key,
        max(touch_blocks.touched_at) as touched_at,
        min(touch_blocks.received_at) as received_at,
        -- In the order of the alphabet a click comes before an open.
        min(touch_blocks.type) as type
    from order_blocks
    inner join touch_blocks
        on
            order_blocks.contact_id = touch_blocks.contact_id
            and order_blocks.block = touch_blocks.block
    where
        touch_blocks.touched_at <= order_blocks.ordered_at
        and touch_blocks.received_at
        >= order_blocks.ordered_at - interval '{{ window_days }} days'
    group by
        order_blocks.order_id,
        order_blocks.ordered_at,
        touch_blocks.touch_id,
        touch_blocks.channel,
        touch_blocks.platform,
        touch_blocks.campaign,
        touch_blocks.message_key
),

placed as (
    select
        *,
        row_number() over (partition by order_id order by touched_at, touch_id) as place,
        count(*) over (partition by order_id) as touches,
        -- Halved every half-life, in millionths.
        cast(
            floor(
                DECAY(
                    1000000,
                    SECONDS_BETWEEN(touched_at, ordered_at),
                    {{ half_life_days }} * 86400
                )
            ) as bigint
        ) as weight
    from pairs
),

weighed as (
    -- The part that falls to this touch and all before it, of a whole.
    select
        *,
        case when touches <= 2 then touches else 100 * (touches - 2) end as position_whole,
        -- 40 % to the first, 40 % to the last, 20 % to those between.
        case
            when touches <= 2 then place
            when place = touches then 100 * (touches - 2)
            else 40 * (touches - 2) + 20 * (place - 1)
        end as position_part,
        cast(
            sum(weight) over (
                partition by order_id order by place asc
                rows between unbounded preceding and current row
            ) as bigint
        ) as decay_part,
        cast(sum(weight) over (partition by order_id) as bigint) as decay_whole,
        max(
            case when received_at >= ordered_at - interval '{{ last_touch_window }}' then place end
        ) over (partition by order_id) as last_place
    from placed
),

summed as (
    -- Millionths of credit and cents of revenue, up to and with this touch.
    select
        weighed.*,
        orders.contact_id,
        orders.currency,
        orders.net_amount,
        cast(floor(RATIO(1000000 * weighed.place, weighed.touches)) as bigint) as linear_credits,
        cast(floor(RATIO(orders.cents * weighed.place, weighed.touches)) as bigint) as linear_cents,
        cast(floor(RATIO(1000000 * weighed.position_part, weighed.position_whole)) as bigint)
            as position_credits,
        cast(floor(RATIO(orders.cents * weighed.position_part, weighed.position_whole)) as bigint)
            as position_cents,
        cast(floor(RATIO(1000000 * weighed.decay_part, weighed.decay_whole)) as bigint)
            as decay_credits,
        cast(floor(RATIO(orders.cents * weighed.decay_part, weighed.decay_whole)) as bigint)
            as decay_cents
    from weighed
    inner join orders on weighed.order_id = orders.order_id
),

credited as (
    -- What falls to this touch alone: so nothing is lost to rounding.
    select
        *,
        case when place = last_place then 1 else 0 end as last_credit,
        case when place = 1 then 1 else 0 end as first_credit,
        linear_credits
        - coalesce(lag(linear_credits) over (partition by order_id order by place), 0)
            as linear_credit,
        linear_cents - coalesce(lag(linear_cents) over (partition by order_id order by place), 0)
            as linear_revenue,
        position_credits
        - coalesce(lag(position_credits) over (partition by order_id order by place), 0)
            as position_credit,
        position_cents
        - coalesce(lag(position_cents) over (partition by order_id order by place), 0)
            as position_revenue,
        decay_credits - coalesce(lag(decay_credits) over (partition by order_id order by place), 0)
            as decay_credit,
        decay_cents - coalesce(lag(decay_cents) over (partition by order_id order by place), 0)
            as decay_revenue
    from summed
),

touched as (
    select
        order_id,
        max(last_credit) as last_credit
    from credited
    group by order_id
),

direct as (
    select
        orders.*,
        case when touched.order_id is null then 1 else 0 end as other_credit
    from orders
    left join touched on orders.order_id = touched.order_id
    where coalesce(touched.last_credit, 0) = 0
)

select
    order_id,
    touch_id,
    contact_id,
    ordered_at,
    currency,
    net_amount,
    channel,
    platform,
    campaign,
    message_key,
    touched_at,
    type,
    cast(last_credit as decimal(18, 6)) as last_touch_credit,
    cast(last_credit * net_amount as decimal(18, 2)) as last_touch_revenue,
    cast(first_credit as decimal(18, 6)) as first_touch_credit,
    cast(first_credit * net_amount as decimal(18, 2)) as first_touch_revenue,
    cast(linear_credit * 0.000001 as decimal(18, 6)) as linear_credit,
    cast(linear_revenue * 0.01 as decimal(18, 2)) as linear_revenue,
    cast(position_credit * 0.000001 as decimal(18, 6)) as position_credit,
    cast(position_revenue * 0.01 as decimal(18, 2)) as position_revenue,
    cast(decay_credit * 0.000001 as decimal(18, 6)) as time_decay_credit,
    cast(decay_revenue * 0.01 as decimal(18, 2)) as time_decay_revenue
from credited
union all
select
    order_id,
    'direct' as touch_id,
    contact_id,
    ordered_at,
    currency,
    net_amount,
    'direct' as channel,
    'direct' as platform,
    'direct' as campaign,
    cast(null as varchar) as message_key,
    cast(null as timestamp) as touched_at,
    cast(null as varchar) as type,
    cast(1 as decimal(18, 6)) as last_touch_credit,
    net_amount as last_touch_revenue,
    cast(other_credit as decimal(18, 6)) as first_touch_credit,
    cast(other_credit * net_amount as decimal(18, 2)) as first_touch_revenue,
    cast(other_credit as decimal(18, 6)) as linear_credit,
    cast(other_credit * net_amount as decimal(18, 2)) as linear_revenue,
    cast(other_credit as decimal(18, 6)) as position_credit,
    cast(other_credit * net_amount as decimal(18, 2)) as position_revenue,
    cast(other_credit as decimal(18, 6)) as time_decay_credit,
    cast(other_credit * net_amount as decimal(18, 2)) as time_decay_revenue
from direct
