-- Sent, delivered, opened, clicked, ordered, and lost goodwill: of each flow, campaign (a flow, or
-- one issue of a newsletter), step and variant. Keys below the level say all.
-- answers: How does a flow, campaign, step or variant perform? Which variant wins?
-- owner: crm
-- grain: level, flow, campaign, step, variant
with message_counts as (
    select * from reports.message_counts
),

levels as (
    select
        'flow' as level,
        false as by_campaign,
        false as by_step,
        false as by_variant
    union all
    select
        'campaign' as level,
        true as by_campaign,
        false as by_step,
        false as by_variant
    union all
    select
        'step' as level,
        false as by_campaign,
        true as by_step,
        false as by_variant
    union all
    select
        'variant' as level,
        false as by_campaign,
        true as by_step,
        true as by_variant
),

summed as (
    select
        levels.level,
        message_counts.flow,
        case when levels.by_campaign then message_counts.campaign else 'all' end as campaign,
        case when levels.by_step then message_counts.step else 'all' end as step,
        case when levels.by_variant then message_counts.variant else 'all' end as variant,
        sum(message_counts.planned) as planned,
        sum(message_counts.sent) as sent,
        sum(message_counts.delivered) as delivered,
        sum(message_counts.opened) as opened,
        sum(message_counts.clicked) as clicked,
        sum(message_counts.ordered) as ordered,
        sum(message_counts.orders) as orders,
        sum(message_counts.revenue) as revenue,
        sum(message_counts.hard_bounced) as hard_bounced,
        sum(message_counts.soft_bounced) as soft_bounced,
        sum(message_counts.complained) as complained,
        sum(message_counts.unsubscribed) as unsubscribed,
        min(message_counts.first_sent_at) as first_sent_at,
        max(message_counts.last_sent_at) as last_sent_at
    from message_counts
    cross join levels
    group by
        levels.level,
        message_counts.flow,
        case when levels.by_campaign then message_counts.campaign else 'all' end,
        case when levels.by_step then message_counts.step else 'all' end,
        case when levels.by_variant then message_counts.variant else 'all' end
)

select
    level,
    flow,
    campaign,
    step,
    variant,
    cast(planned as bigint) as planned,
    cast(sent as bigint) as sent,
    cast(delivered as bigint) as delivered,
    cast(opened as bigint) as opened,
    cast(clicked as bigint) as clicked,
    cast(ordered as bigint) as ordered,
    cast(orders as bigint) as orders,
    cast(revenue as decimal(18, 2)) as revenue,
    cast(hard_bounced as bigint) as hard_bounced,
    cast(soft_bounced as bigint) as soft_bounced,
    cast(complained as bigint) as complained,
    cast(unsubscribed as bigint) as unsubscribed,
    cast(RATIO(delivered, sent) as decimal(18, 6)) as delivery_rate,
    cast(RATIO(opened, delivered) as decimal(18, 6)) as open_rate,
    cast(RATIO(clicked, delivered) as decimal(18, 6)) as click_rate,
    cast(RATIO(clicked, opened) as decimal(18, 6)) as click_to_open_rate,
    cast(RATIO(ordered, delivered) as decimal(18, 6)) as order_rate,
    cast(RATIO(revenue, delivered) as decimal(18, 6)) as revenue_per_recipient,
    cast(RATIO(hard_bounced, sent) as decimal(18, 6)) as hard_bounce_rate,
    cast(RATIO(soft_bounced, sent) as decimal(18, 6)) as soft_bounce_rate,
    cast(RATIO(complained, delivered) as decimal(18, 6)) as complaint_rate,
    cast(RATIO(unsubscribed, delivered) as decimal(18, 6)) as unsubscribe_rate,
    first_sent_at,
    last_sent_at
from summed
