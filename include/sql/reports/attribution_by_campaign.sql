-- Orders and revenue that each attribution model gives to a campaign, by month of the order.
-- answers: Which campaign brings the revenue, by each model?
-- owner: crm
-- grain: model, month, channel, platform, campaign, currency
with attribution as (
    select * from reports.attribution
),

summed as (
    -- Once for all models; what follows works on a few rows.
    select
        cast(date_trunc('month', ordered_at) as date) as month,
        channel,
        platform,
        campaign,
        coalesce(currency, 'unknown') as currency,
        sum(last_touch_credit) as last_touch_credit,
        sum(last_touch_revenue) as last_touch_revenue,
        sum(first_touch_credit) as first_touch_credit,
        sum(first_touch_revenue) as first_touch_revenue,
        sum(linear_credit) as linear_credit,
        sum(linear_revenue) as linear_revenue,
        sum(position_credit) as position_credit,
        sum(position_revenue) as position_revenue,
        sum(time_decay_credit) as time_decay_credit,
        sum(time_decay_revenue) as time_decay_revenue
    from attribution
    group by
        cast(date_trunc('month', ordered_at) as date),
        channel,
        platform,
        campaign,
        coalesce(currency, 'unknown')
),

models as (
    select
        'last_touch' as model,
        month,
        channel,
        platform,
        campaign,
        currency,
        last_touch_credit as orders,
        last_touch_revenue as revenue
    from summed
    union all
    select
        'first_touch' as model,
        month,
        channel,
        platform,
        campaign,
        currency,
        first_touch_credit as orders,
        first_touch_revenue as revenue
    from summed
    union all
    select
        'linear' as model,
        month,
        channel,
        platform,
        campaign,
        currency,
        linear_credit as orders,
        linear_revenue as revenue
    from summed
    union all
    select
        'position_based' as model,
        month,
        channel,
        platform,
        campaign,
        currency,
        position_credit as orders,
        position_revenue as revenue
    from summed
    union all
    select
        'time_decay' as model,
        month,
        channel,
        platform,
        campaign,
        currency,
        time_decay_credit as orders,
        time_decay_revenue as revenue
    from summed
)

select
    model,
    month,
    channel,
    platform,
    campaign,
    currency,
    cast(orders as decimal(18, 6)) as orders,
    cast(revenue as decimal(18, 2)) as revenue,
    cast(
        RATIO(revenue, sum(revenue) over (partition by model, month, currency)) as decimal(18, 6)
    ) as share_of_revenue
from models
where orders > 0
