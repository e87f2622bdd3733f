-- How likely each buyer has left: by the purchase model, or by how long the person's own rhythm, or
-- that of all buyers, has been missed.
-- answers: Whom are we about to lose?
-- owner: crm
-- grain: contact_id
{% set high_above = 0.66 %}
{% set medium_from = 0.33 %}
{% set even_after_intervals = 2 %}
with buyers as (
    select
        contact_id,
        frequency,
        days_since_last,
        RATIO(recency_days, frequency) as interval_days
    from core.purchase_history
),

clv as (
    select
        contact_id,
        probability_alive
    from scores.clv
),

everybody as (
    -- Who bought once has no interval, which the median leaves out.
    select MEDIAN(interval_days) as interval_days
    from buyers
),

rhythms as (
    select
        buyers.contact_id,
        buyers.days_since_last,
        coalesce(buyers.interval_days, everybody.interval_days) as interval_days,
        -- To the model whoever bought once cannot have left: people leave after repeat purchases.
        case when buyers.frequency > 0 then clv.probability_alive end as probability_alive,
        case
            when buyers.frequency > 0 and clv.probability_alive is not null then 'model'
            when buyers.frequency > 0 then 'own_rhythm'
            when everybody.interval_days is not null then 'all_buyers'
            else 'unknown'
        end as basis
    from buyers
    cross join everybody
    left join clv on buyers.contact_id = clv.contact_id
),

scored as (
    select
        contact_id,
        basis,
        days_since_last,
        interval_days,
        cast(
            coalesce(
                1 - probability_alive,
                -- A third after one interval, a half after two, two thirds after four.
                RATIO(
                    days_since_last, days_since_last + {{ even_after_intervals }} * interval_days
                )
            ) as decimal(18, 6)
        ) as score
    from rhythms
)

select
    contact_id,
    score,
    case
        when score > {{ high_above }} then 'high'
        when score >= {{ medium_from }} then 'medium'
        when score is not null then 'low'
    end as band,
    basis,
    days_since_last,
    cast(interval_days as decimal(18, 6)) as interval_days
from scored
