-- How many of the buyers who first ordered in a month ordered again, month by month since.
-- answers: How many of the buyers of a month come back, and when?
-- owner: crm
-- grain: cohort, months_since
with orders as (
    select
        contact_id,
        cast(date_trunc('month', ordered_at) as date) as month,
        net_amount
    from core.orders
    -- What was sent back whole was not bought.
    where is_valid and contact_id is not null and net_amount > 0
),

months as (
    select distinct month
    from core.calendar
),

active as (
    select
        contact_id,
        month,
        count(*) as orders,
        sum(net_amount) as revenue
    from orders
    group by contact_id, month
),

buyers as (
    select
        contact_id,
        min(month) as cohort
    from active
    group by contact_id
),

cohorts as (
    select
        cohort,
        count(*) as buyers
    from buyers
    group by cohort
),

activity as (
    select
        buyers.cohort,
        active.month,
        count(*) as active,
        sum(active.orders) as orders,
        sum(active.revenue) as revenue
    from active
    inner join buyers on active.contact_id = buyers.contact_id
    group by buyers.cohort, active.month
),

elapsed as (
    -- A month in which nobody came back is a zero, not a gap.
    select
        cohorts.cohort,
        months.month,
        CALENDAR_MONTHS_BETWEEN(cohorts.cohort, months.month) as months_since,
        cohorts.buyers,
        coalesce(activity.active, 0) as active,
        coalesce(activity.orders, 0) as orders,
        coalesce(activity.revenue, 0) as revenue
    from cohorts
    inner join months on cohorts.cohort <= months.month
    left join activity
        on cohorts.cohort = activity.cohort and months.month = activity.month
)

select
    cohort,
    months_since,
    month,
    cast(buyers as bigint) as buyers,
    cast(active as bigint) as active,
    cast(RATIO(active, buyers) as decimal(18, 6)) as retention_rate,
    cast(orders as bigint) as orders,
    cast(revenue as decimal(18, 2)) as revenue,
    cast(
        RATIO(
            sum(revenue) over (
                partition by cohort order by month asc
                rows between unbounded preceding and current row
            ),
            buyers
        ) as decimal(18, 6)
    ) as revenue_per_buyer_so_far
from elapsed
