-- What became of the people from each source and campaign: how far they came, and what they bought.
-- answers: Which source brings leads, customers and revenue? Where do the best leads come from?
-- owner: crm
-- grain: source, campaign
with sources as (
    select * from core.attribution_sources
),

stage as (
    select
        contact_id,
        highest_stage
    from lifecycle.stage
),

purchases as (
    select
        contact_id,
        net_amount
    from core.purchase_history
),

reached as (
    -- Who reached a stage has passed those before it.
    select
        sources.source,
        sources.campaign,
        purchases.net_amount,
        case stage.highest_stage
            when 'lead' then 1
            when 'mql' then 2
            when 'sql' then 3
            when 'opportunity' then 4
            when 'customer' then 5
            when 'evangelist' then 6
            else 0
        end as depth
    from sources
    left join stage on sources.contact_id = stage.contact_id
    left join purchases on sources.contact_id = purchases.contact_id
),

counted as (
    select
        source,
        campaign,
        count(*) as contacts,
        sum(case when depth >= 1 then 1 else 0 end) as leads,
        sum(case when depth >= 2 then 1 else 0 end) as mqls,
        sum(case when depth >= 3 then 1 else 0 end) as sqls,
        sum(case when depth >= 4 then 1 else 0 end) as opportunities,
        sum(case when depth >= 5 then 1 else 0 end) as customers,
        coalesce(sum(net_amount), 0) as revenue
    from reached
    group by source, campaign
)

select
    source,
    campaign,
    cast(contacts as bigint) as contacts,
    cast(leads as bigint) as leads,
    cast(mqls as bigint) as mqls,
    cast(sqls as bigint) as sqls,
    cast(opportunities as bigint) as opportunities,
    cast(customers as bigint) as customers,
    cast(RATIO(mqls, leads) as decimal(18, 6)) as mql_rate,
    cast(RATIO(customers, contacts) as decimal(18, 6)) as customer_rate,
    cast(revenue as decimal(18, 2)) as revenue,
    cast(RATIO(revenue, contacts) as decimal(18, 6)) as revenue_per_contact
from counted
