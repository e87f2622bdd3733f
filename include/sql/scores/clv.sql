-- What each buyer has been worth, and will be over the next 365 days: orders by BG/NBD, their value
-- by Gamma-Gamma. Where the data are too thin there is a reason instead of a number.
-- answers: Who are our most valuable customers? When will each order again?
-- owner: crm
-- grain: contact_id
with purchase_history as (
    select
        contact_id,
        frequency,
        recency_days,
        age_days,
        net_amount,
        repeat_amount
    from core.purchase_history
),

model as (
    select * from core.clv_parameters
),

clv_nodes as (
    select * from core.clv_nodes
),

-- Many buyers share a frequency and an age: what depends on these alone is computed once.
ages as (
    select distinct
        frequency,
        age_days
    from purchase_history
),

futures as (
    -- Orders to come of somebody who has not left, for each chance of leaving after an order; added
    -- as decimals, so that the sum does not depend on the order.
    select
        ages.frequency,
        ages.age_days,
        sum(
            cast(
                clv_nodes.weight * RATIO(
                    1 - POWER(
                        RATIO(
                            model.alpha + ages.age_days,
                            model.alpha + ages.age_days + clv_nodes.dropout * model.horizon_days
                        ),
                        model.r + ages.frequency
                    ),
                    clv_nodes.dropout
                ) as decimal(28, 18)
            )
        ) as orders
    from ages
    inner join clv_nodes on ages.frequency = clv_nodes.frequency
    cross join model
    group by ages.frequency, ages.age_days
),

chances as (
    select
        purchase_history.*,
        model.*,
        cast(futures.orders as double precision) as orders_if_alive,
        model.r + purchase_history.frequency as shape,
        model.alpha + purchase_history.age_days as span,
        (model.b + purchase_history.frequency - 1) * POWER(
            RATIO(
                model.alpha + purchase_history.recency_days,
                model.alpha + purchase_history.age_days
            ),
            model.r + purchase_history.frequency
        ) as alive
    from purchase_history
    cross join model
    left join futures
        on
            purchase_history.frequency = futures.frequency
            and purchase_history.age_days = futures.age_days
),

expected as (
    select
        *,
        case
            when frequency > 0 then RATIO(alive, alive + a)
            when r is not null then 1
        end as probability_alive,
        RATIO(p * (v + repeat_amount), p * frequency + q - 1) as order_value
    from chances
),

dated as (
    select
        *,
        cast(probability_alive * orders_if_alive * order_value as decimal(18, 2)) as value,
        -- The day by which an order is as likely as not, if there is one.
        case
            when
                probability_alive * (1 - POWER(RATIO(span, span + horizon_days), shape))
                >= 0.5
                then span * (POWER(1 - RATIO(0.5, probability_alive), RATIO(-1, shape)) - 1)
        end as days_to_order
    from expected
)

select
    contact_id,
    value as score,
    cast(probability_alive as decimal(18, 6)) as probability_alive,
    cast(probability_alive * orders_if_alive as decimal(18, 6)) as expected_orders,
    cast(order_value as decimal(18, 2)) as expected_order_value,
    ADD_DAYS(
        cast({{ as_of }} as date),
        cast(ceil(cast(days_to_order as decimal(18, 6))) as bigint)
    ) as expected_next_order_on,
    net_amount as historic_value,
    cast(net_amount + value as decimal(18, 2)) as total_value,
    abstains_because
from dated
