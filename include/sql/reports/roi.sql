-- What a campaign brought in and what it cost: ads and mails, by month. Revenue is that of the last
-- touch, in the month of the order; ROI and ROAS are of what was earned after the goods were paid.
-- answers: What does a campaign earn for what it costs?
-- owner: crm
-- grain: month, platform, campaign, currency
{% set gross_margin = "0.50" %}
with attribution as (
    select
        ordered_at,
        platform,
        campaign,
        currency,
        last_touch_revenue
    from reports.attribution
    where last_touch_credit = 1 and channel <> 'direct'
),

ad_spend as (
    select * from staging.ad_spend
),

messages as (
    select
        channel,
        campaign,
        cast(sent_at as date) as day,
        count(*) as sent
    from core.message_outcomes
    where sent_at is not null
    group by channel, campaign, cast(sent_at as date)
),

send_costs as (
    select
        channel,
        currency,
        cost,
        valid_from,
        lead(valid_from) over (partition by channel order by valid_from) as valid_until
    from seeds.send_costs
),

sums as (
    select
        cast(date_trunc('month', ordered_at) as date) as month,
        platform,
        campaign,
        coalesce(currency, 'unknown') as currency,
        count(*) as orders,
        sum(last_touch_revenue) as revenue,
        0 as impressions,
        0 as ad_clicks,
        0 as sent,
        cast(0 as decimal(18, 4)) as cost
    from attribution
    group by
        cast(date_trunc('month', ordered_at) as date),
        platform,
        campaign,
        coalesce(currency, 'unknown')
    union all
    select
        cast(date_trunc('month', day) as date) as month,
        platform,
        campaign,
        currency,
        0 as orders,
        cast(0 as decimal(18, 2)) as revenue,
        sum(impressions) as impressions,
        sum(clicks) as ad_clicks,
        0 as sent,
        sum(cast(amount as decimal(18, 4))) as cost
    from ad_spend
    group by cast(date_trunc('month', day) as date), platform, campaign, currency
    union all
    select
        cast(date_trunc('month', messages.day) as date) as month,
        messages.channel as platform,
        messages.campaign,
        coalesce(send_costs.currency, 'unknown') as currency,
        0 as orders,
        cast(0 as decimal(18, 2)) as revenue,
        0 as impressions,
        0 as ad_clicks,
        sum(messages.sent) as sent,
        sum(messages.sent * send_costs.cost) as cost
    from messages
    left join send_costs
        on
            messages.channel = send_costs.channel
            and messages.day >= send_costs.valid_from
            and (messages.day < send_costs.valid_until or send_costs.valid_until is null)
    group by
        cast(date_trunc('month', messages.day) as date),
        messages.channel,
        messages.campaign,
        coalesce(send_costs.currency, 'unknown')
),

added as (
    select
        month,
        platform,
        campaign,
        currency,
        sum(orders) as orders,
        sum(impressions) as impressions,
        sum(ad_clicks) as ad_clicks,
        sum(sent) as sent,
        cast(sum(revenue) as decimal(18, 2)) as revenue,
        -- Millions of mails cost cents each; they are rounded once, here.
        cast(sum(cost) as decimal(18, 2)) as cost
    from sums
    group by month, platform, campaign, currency
),

margins as (
    select
        *,
        cast(revenue * {{ gross_margin }} as decimal(18, 2)) as gross_profit
    from added
)

select
    month,
    platform,
    campaign,
    currency,
    cast(impressions as bigint) as impressions,
    cast(ad_clicks as bigint) as ad_clicks,
    cast(sent as bigint) as sent,
    cost,
    cast(orders as bigint) as orders,
    revenue,
    gross_profit,
    cast(gross_profit - cost as decimal(18, 2)) as profit,
    cast(RATIO(gross_profit - cost, cost) as decimal(18, 6)) as roi,
    cast(RATIO(revenue, cost) as decimal(18, 6)) as roas,
    cast(RATIO(cost, orders) as decimal(18, 6)) as cost_per_order
from margins
