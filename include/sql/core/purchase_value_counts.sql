-- How many buyers spend about the same a repeat purchase, to three digits: what the model of order
-- values is fitted to.
-- owner: crm
-- grain: frequency, mean_amount
with purchase_history as (
    select
        frequency,
        RATIO(repeat_amount, frequency) as mean_amount
    from core.purchase_history
    where frequency > 0
),

steps as (
    select
        frequency,
        mean_amount,
        -- By the digits before the point.
        cast(
            case length(cast(cast(floor(mean_amount) as bigint) as varchar))
                when 1 then 0.01
                when 2 then 0.10
                when 3 then 1
                when 4 then 10
                else 100
            end as decimal(18, 2)
        ) as step
    from purchase_history
),

rounded as (
    select
        frequency,
        cast(
            cast(floor(RATIO(mean_amount, step) + 0.5) as bigint) * step as decimal(18, 2)
        ) as mean_amount
    from steps
)

select
    frequency,
    mean_amount,
    cast(count(*) as bigint) as buyers
from rounded
group by frequency, mean_amount
