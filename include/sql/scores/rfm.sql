-- Recency, frequency and value of each buyer in fifths (5 is best), net of refunds, with the name
-- of the cell. Equal values share a score; every pair of scores has exactly one cell.
-- answers: Who are our best customers? Whom are we losing?
-- owner: crm
-- grain: contact_id
with buyers as (
    select
        contact_id,
        last_ordered_at,
        days_since_last,
        orders,
        net_amount
    from core.purchase_history
),

-- Few values are shared by many buyers: ranking the values is cheaper than ranking the buyers.
counted as (
    select
        'recency' as measure,
        -- The more, the better.
        cast(-days_since_last as decimal(18, 2)) as amount,
        count(*) as buyers
    from buyers
    group by days_since_last
    union all
    select
        'frequency' as measure,
        cast(orders as decimal(18, 2)) as amount,
        count(*) as buyers
    from buyers
    group by orders
    union all
    select
        'value' as measure,
        net_amount as amount,
        count(*) as buyers
    from buyers
    group by net_amount
),

ranked as (
    select
        measure,
        amount,
        sum(buyers) over (partition by measure order by amount) - buyers as worse,
        sum(buyers) over (partition by measure) as total
    from counted
),

limits as (
    select
        measure,
        min(case when 5 * worse >= 4 * total then amount end) as fifth,
        min(case when 5 * worse >= 3 * total then amount end) as fourth,
        min(case when 5 * worse >= 2 * total then amount end) as third,
        min(case when 5 * worse >= total then amount end) as second
    from ranked
    group by measure
),

scored as (
    select
        buyers.*,
        -- Without a value that so many are worse than, the limit is NULL and nobody reaches it.
        case
            when -buyers.days_since_last >= recency.fifth then 5
            when -buyers.days_since_last >= recency.fourth then 4
            when -buyers.days_since_last >= recency.third then 3
            when -buyers.days_since_last >= recency.second then 2
            else 1
        end as recency_score,
        case
            when buyers.orders >= frequency.fifth then 5
            when buyers.orders >= frequency.fourth then 4
            when buyers.orders >= frequency.third then 3
            when buyers.orders >= frequency.second then 2
            else 1
        end as frequency_score,
        case
            when buyers.net_amount >= money.fifth then 5
            when buyers.net_amount >= money.fourth then 4
            when buyers.net_amount >= money.third then 3
            when buyers.net_amount >= money.second then 2
            else 1
        end as monetary_score
    from buyers
    inner join limits as recency on recency.measure = 'recency'
    inner join limits as frequency on frequency.measure = 'frequency'
    inner join limits as money on money.measure = 'value'
),

placed as (
    select
        *,
        -- Mean of frequency and value, rounded up.
        case
            when frequency_score + monetary_score >= 9 then 5
            when frequency_score + monetary_score >= 7 then 4
            when frequency_score + monetary_score >= 5 then 3
            when frequency_score + monetary_score >= 3 then 2
            else 1
        end as loyalty_score
    from scored
)

select
    contact_id,
    cast(100 * recency_score + 10 * frequency_score + monetary_score as bigint) as score,
    cast(recency_score as bigint) as recency_score,
    cast(frequency_score as bigint) as frequency_score,
    cast(monetary_score as bigint) as monetary_score,
    case
        when recency_score = 5 and loyalty_score >= 4 then 'champions'
        when recency_score = 4 and loyalty_score = 5 then 'champions'
        when recency_score = 4 and loyalty_score = 4 then 'loyal'
        when recency_score = 3 and loyalty_score >= 4 then 'loyal'
        when recency_score >= 4 and loyalty_score >= 2 then 'potential_loyalist'
        when recency_score = 5 then 'new'
        when recency_score = 4 then 'promising'
        when recency_score = 3 and loyalty_score = 3 then 'need_attention'
        when recency_score = 3 then 'about_to_sleep'
        when loyalty_score = 5 then 'cant_lose_them'
        when loyalty_score >= 3 then 'at_risk'
        when recency_score = 2 then 'hibernating'
        else 'lost'
    end as cell,
    last_ordered_at,
    days_since_last as recency_days,
    orders,
    net_amount
from placed
