-- What the night brought, in numbers: one row a metric and what it is broken down by.
-- answers: What happened last night?
-- owner: crm
-- grain: metric, dimension
with manifests as (
    select * from raw.manifests
    where as_of <= {{ as_of }}
),

contacts as (
    select * from core.contacts
),

orders as (
    select * from core.orders
    where is_valid
),

stage as (
    select * from lifecycle.stage
),

decisions as (
    select * from staging.ledger_decisions
),

messages as (
    select * from staging.ledger_messages
),

mail_events as (
    select * from staging.mail_events
),

segment_names as (
    select name
    from segments.catalogue
),

segment_sizes as (
    select
        name,
        count(*) as contacts
    from segments.members
    group by name
),

finding_names as (
    select name
    from cleanup.catalogue
),

findings as (
    select
        name,
        count(*) as contacts
    from cleanup.members
    group by name
),

campaign_revenue as (
    select
        channel,
        campaign,
        sum(revenue) as revenue
    from reports.attribution_by_campaign
    where model = 'last_touch'
    group by channel, campaign
),

best_campaigns as (
    select
        campaign,
        revenue,
        row_number() over (order by revenue desc, campaign asc, channel asc) as place
    from campaign_revenue
    where channel <> 'direct'
),

revenue_forecast as (
    select
        currency,
        expected_revenue
    from reports.revenue_forecast
    where CALENDAR_MONTHS_BETWEEN({{ as_of }}, month) = 1 and expected_revenue is not null
),

kpis as (
    select status
    from reports.kpis
    where period_start <= cast({{ as_of }} as date) and period_end >= cast({{ as_of }} as date)
),

summary as (
    select
        'rows_ingested' as metric,
        source || '.' || stream as dimension,
        cast(sum(rows) as decimal(18, 2)) as value
    from manifests
    group by source, stream
    union all
    select
        'contacts' as metric,
        'all' as dimension,
        cast(count(*) as decimal(18, 2)) as value
    from contacts
    union all
    select
        'contacts_by_consent' as metric,
        email_consent as dimension,
        cast(count(*) as decimal(18, 2)) as value
    from contacts
    group by email_consent
    union all
    select
        'contacts_by_stage' as metric,
        stage as dimension,
        cast(count(*) as decimal(18, 2)) as value
    from stage
    group by stage
    union all
    -- Every name has a number: nobody in it is 0.
    select
        'segment_size' as metric,
        segment_names.name as dimension,
        cast(coalesce(segment_sizes.contacts, 0) as decimal(18, 2)) as value
    from segment_names
    left join segment_sizes on segment_names.name = segment_sizes.name
    union all
    select
        'orders' as metric,
        'all' as dimension,
        cast(count(*) as decimal(18, 2)) as value
    from orders
    union all
    select
        'revenue_net' as metric,
        coalesce(currency, 'unknown') as dimension,
        cast(sum(net_amount) as decimal(18, 2)) as value
    from orders
    group by coalesce(currency, 'unknown')
    union all
    select
        'decisions' as metric,
        flow || ' ' || reason as dimension,
        cast(count(*) as decimal(18, 2)) as value
    from decisions
    group by flow, reason
    union all
    select
        'messages' as metric,
        state as dimension,
        cast(count(*) as decimal(18, 2)) as value
    from messages
    group by state
    union all
    select
        'mail_events' as metric,
        event_type as dimension,
        cast(count(*) as decimal(18, 2)) as value
    from mail_events
    group by event_type
    union all
    select
        'cleanup_findings' as metric,
        finding_names.name as dimension,
        cast(coalesce(findings.contacts, 0) as decimal(18, 2)) as value
    from finding_names
    left join findings on finding_names.name = findings.name
    union all
    select
        'attributed_revenue' as metric,
        channel as dimension,
        cast(sum(revenue) as decimal(18, 2)) as value
    from campaign_revenue
    group by channel
    union all
    select
        'best_campaign' as metric,
        campaign as dimension,
        cast(revenue as decimal(18, 2)) as value
    from best_campaigns
    where place = 1
    union all
    select
        'forecast_next_month' as metric,
        currency as dimension,
        expected_revenue as value
    from revenue_forecast
    union all
    select
        'kpis' as metric,
        status as dimension,
        cast(count(*) as decimal(18, 2)) as value
    from kpis
    group by status
)

select
    metric,
    dimension,
    value
from summary
