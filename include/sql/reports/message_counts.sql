-- Messages and what became of them, by the week in which they were planned: what funnels add up.
-- Orders and revenue are those of the last touch.
-- answers: How many mails of a step were sent, read and clicked in a week?
-- owner: crm
-- grain: flow, campaign, step, variant, week
with message_outcomes as (
    select
        message_key,
        flow,
        campaign,
        step,
        variant,
        planned_at,
        sent_at,
        delivered_at,
        opened_at,
        clicked_at,
        hard_bounced_at,
        soft_bounced_at,
        complained_at,
        unsubscribed_at
    from core.message_outcomes
),

attribution as (
    select
        message_key,
        last_touch_revenue
    from reports.attribution
    where message_key is not null and last_touch_credit = 1
),

sales as (
    select
        message_key,
        count(*) as orders,
        sum(last_touch_revenue) as revenue
    from attribution
    group by message_key
)

select
    message_outcomes.flow,
    message_outcomes.campaign,
    message_outcomes.step,
    message_outcomes.variant,
    cast(date_trunc('week', message_outcomes.planned_at) as date) as week,
    cast(count(*) as bigint) as planned,
    cast(count(message_outcomes.sent_at) as bigint) as sent,
    cast(count(message_outcomes.delivered_at) as bigint) as delivered,
    cast(count(message_outcomes.opened_at) as bigint) as opened,
    cast(count(message_outcomes.clicked_at) as bigint) as clicked,
    cast(count(sales.message_key) as bigint) as ordered,
    cast(coalesce(sum(sales.orders), 0) as bigint) as orders,
    cast(coalesce(sum(sales.revenue), 0) as decimal(18, 2)) as revenue,
    cast(count(message_outcomes.hard_bounced_at) as bigint) as hard_bounced,
    cast(count(message_outcomes.soft_bounced_at) as bigint) as soft_bounced,
    cast(count(message_outcomes.complained_at) as bigint) as complained,
    cast(count(message_outcomes.unsubscribed_at) as bigint) as unsubscribed,
    min(message_outcomes.sent_at) as first_sent_at,
    max(message_outcomes.sent_at) as last_sent_at
from message_outcomes
left join sales on message_outcomes.message_key = sales.message_key
group by
    message_outcomes.flow,
    message_outcomes.campaign,
    message_outcomes.step,
    message_outcomes.variant,
    cast(date_trunc('week', message_outcomes.planned_at) as date)
