-- Recency, frequency and value of each buyer in fifths (5 is best), net of refunds, with the name
-- of the cell. Equal values share a score; every pair of scores has exactly one cell.
-- owner: crm
-- grain: contact_id
with orders as (
    select * from core.orders
    -- What was sent back whole was not bought.
    where is_valid and contact_id is not null and net_amount > 0
),

buyers as (
    select
        contact_id,
        max(ordered_at) as last_ordered_at,
        DAYS_BETWEEN(max(ordered_at), {{ as_of }}) as recency_days,
        count(*) as orders,
        cast(sum(net_amount) as decimal(18, 2)) as net_amount
    from orders
    group by contact_id
),

ranked as (
    select
        *,
        count(*) over () as buyers,
        -- How many buyers are worse: the same for all who share a value, unlike ntile().
        rank() over (order by recency_days desc) - 1 as less_recent,
        rank() over (order by orders) - 1 as less_frequent,
        rank() over (order by net_amount) - 1 as less_valuable
    from buyers
),

scored as (
    select
        *,
        case
            when 5 * less_recent >= 4 * buyers then 5
            when 5 * less_recent >= 3 * buyers then 4
            when 5 * less_recent >= 2 * buyers then 3
            when 5 * less_recent >= buyers then 2
            else 1
        end as recency_score,
        case
            when 5 * less_frequent >= 4 * buyers then 5
            when 5 * less_frequent >= 3 * buyers then 4
            when 5 * less_frequent >= 2 * buyers then 3
            when 5 * less_frequent >= buyers then 2
            else 1
        end as frequency_score,
        case
            when 5 * less_valuable >= 4 * buyers then 5
            when 5 * less_valuable >= 3 * buyers then 4
            when 5 * less_valuable >= 2 * buyers then 3
            when 5 * less_valuable >= buyers then 2
            else 1
        end as monetary_score
    from ranked
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
    cast(recency_days as bigint) as recency_days,
    cast(orders as bigint) as orders,
    net_amount
from placed
