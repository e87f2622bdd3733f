-- What a flow brings about: the orders of those it wrote to against those of the people it held out
-- at random; NULL with a reason where they are too few to say.
-- answers: What would not have been bought without the flow? Is the difference more than chance?
-- owner: crm
-- grain: flow
{% set least_people = 100 %}
{% set z = "1.959964" %}
with holdout_groups as (
    select * from reports.holdout_groups
),

flows as (
    select
        flow,
        sum(case when arm = 'treated' then people else 0 end) as treated,
        sum(case when arm = 'treated' then buyers else 0 end) as treated_buyers,
        sum(case when arm = 'treated' then revenue else 0 end) as treated_revenue,
        sum(case when arm = 'treated' then squared_revenue else 0 end) as treated_squares,
        sum(case when arm = 'control' then people else 0 end) as control,
        sum(case when arm = 'control' then buyers else 0 end) as control_buyers,
        sum(case when arm = 'control' then revenue else 0 end) as control_revenue,
        sum(case when arm = 'control' then squared_revenue else 0 end) as control_squares
    from holdout_groups
    group by flow
),

rates as (
    select
        *,
        case
            when control < {{ least_people }} then 'too few people held out'
            when treated < {{ least_people }} then 'too few people written to'
        end as abstains_because,
        RATIO(treated_buyers, treated) as treated_rate,
        RATIO(control_buyers, control) as control_rate,
        RATIO(treated_revenue, treated) as treated_value,
        RATIO(control_revenue, control) as control_value
    from flows
),

differences as (
    -- Normal approximation of the difference of two proportions.
    select
        *,
        case when abstains_because is null then treated_rate - control_rate end as rate_difference,
        case when abstains_because is null then treated_value - control_value end
            as value_difference,
        SQRT(
            RATIO(treated_rate * (1 - treated_rate), treated)
            + RATIO(control_rate * (1 - control_rate), control)
        ) as standard_error,
        -- Of two means (Welch), each with the variance of its own group.
        SQRT(
            RATIO(
                greatest(treated_squares - treated_revenue * treated_value, 0),
                treated * (treated - 1)
            )
            + RATIO(
                greatest(control_squares - control_revenue * control_value, 0),
                control * (control - 1)
            )
        ) as value_standard_error
    from rates
),

bounded as (
    select
        *,
        cast(rate_difference - {{ z }} * standard_error as decimal(18, 6)) as lower_bound,
        cast(rate_difference + {{ z }} * standard_error as decimal(18, 6)) as upper_bound,
        cast(value_difference - {{ z }} * value_standard_error as decimal(18, 6))
            as value_lower_bound,
        cast(value_difference + {{ z }} * value_standard_error as decimal(18, 6))
            as value_upper_bound
    from differences
)

select
    flow,
    cast(treated as bigint) as treated,
    cast(treated_buyers as bigint) as treated_buyers,
    cast(treated_revenue as decimal(18, 2)) as treated_revenue,
    cast(treated_rate as decimal(18, 6)) as treated_order_rate,
    cast(treated_value as decimal(18, 6)) as treated_revenue_per_head,
    cast(control as bigint) as control,
    cast(control_buyers as bigint) as control_buyers,
    cast(control_revenue as decimal(18, 2)) as control_revenue,
    cast(control_rate as decimal(18, 6)) as control_order_rate,
    cast(control_value as decimal(18, 6)) as control_revenue_per_head,
    cast(rate_difference as decimal(18, 6)) as order_rate_difference,
    lower_bound as order_rate_difference_from,
    upper_bound as order_rate_difference_to,
    lower_bound > 0 or upper_bound < 0 as is_significant,
    cast(value_difference as decimal(18, 6)) as revenue_per_head_difference,
    value_lower_bound as revenue_per_head_difference_from,
    value_upper_bound as revenue_per_head_difference_to,
    cast(rate_difference * treated as decimal(18, 2)) as additional_buyers,
    cast(value_difference * treated as decimal(18, 2)) as additional_revenue,
    abstains_because
from bounded
