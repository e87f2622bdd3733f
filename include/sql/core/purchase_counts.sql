-- How many buyers share a history of purchases, in whole weeks: what the purchase model is fitted
-- to, so that the fit does not grow with the number of buyers.
-- owner: crm
-- grain: frequency, recency_weeks, age_weeks
with purchase_history as (
    select
        frequency,
        -- The nearest week.
        cast(floor(RATIO(recency_days + 3, 7)) as bigint) as recency_weeks,
        cast(floor(RATIO(age_days + 3, 7)) as bigint) as age_weeks,
        orders,
        days_since_last
    from core.purchase_history
)

select
    frequency,
    recency_weeks,
    age_weeks,
    cast(count(*) as bigint) as buyers,
    cast(max(orders) as bigint) as most_orders,
    cast(min(days_since_last) as bigint) as days_since_last
from purchase_history
group by frequency, recency_weeks, age_weeks
