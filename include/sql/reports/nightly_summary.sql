-- What the night brought, in numbers: one row a metric and what it is broken down by.
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

segments as (
    -- Counted one by one, so that an empty one shows as 0.
    select
        'active_buyers' as segment,
        count(*) as contacts
    from segments.active_buyers
    union all
    select
        'at_risk' as segment,
        count(*) as contacts
    from segments.at_risk
    union all
    select
        'champions' as segment,
        count(*) as contacts
    from segments.champions
    union all
    select
        'hot_leads' as segment,
        count(*) as contacts
    from segments.hot_leads
    union all
    select
        'lapsed_buyers' as segment,
        count(*) as contacts
    from segments.lapsed_buyers
    union all
    select
        'new_subscribers' as segment,
        count(*) as contacts
    from segments.new_subscribers
    union all
    select
        'one_time_buyers' as segment,
        count(*) as contacts
    from segments.one_time_buyers
    union all
    select
        'subscribers' as segment,
        count(*) as contacts
    from segments.subscribers
    union all
    select
        'unengaged' as segment,
        count(*) as contacts
    from segments.unengaged
),

findings as (
    -- Counted one by one, so that an empty one shows as 0.
    select
        'complaints' as finding,
        count(*) as contacts
    from cleanup.complaints
    union all
    select
        'duplicates' as finding,
        count(*) as contacts
    from cleanup.duplicates
    union all
    select
        'hard_bounces' as finding,
        count(*) as contacts
    from cleanup.hard_bounces
    union all
    select
        'invalid_addresses' as finding,
        count(*) as contacts
    from cleanup.invalid_addresses
    union all
    select
        'never_confirmed' as finding,
        count(*) as contacts
    from cleanup.never_confirmed
    union all
    select
        'opt_outs' as finding,
        count(*) as contacts
    from cleanup.opt_outs
    union all
    select
        'soft_bounces' as finding,
        count(*) as contacts
    from cleanup.soft_bounces
    union all
    select
        'unengaged' as finding,
        count(*) as contacts
    from cleanup.unengaged
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
    select
        'segment_size' as metric,
        segment as dimension,
        cast(contacts as decimal(18, 2)) as value
    from segments
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
        finding as dimension,
        cast(contacts as decimal(18, 2)) as value
    from findings
)

select
    metric,
    dimension,
    value
from summary
