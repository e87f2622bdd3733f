-- Revenue to expect in the next twelve months: the predicted value of today's customers, spread
-- over the days, and open deals, each as likely as its stage, in the month they are to be closed.
-- answers: What will we earn next month, and what does that rest on?
-- owner: crm
-- grain: month, currency
{% set horizon_days = 365 %}
{% set unknown_stage_probability = "0.10" %}
{% set usual_days_to_close = 60 %}
with clv as (
    select
        score,
        abstains_because
    from scores.clv
),

orders as (
    select currency
    from core.orders
    where is_valid and currency is not null
),

deals as (
    select * from staging.crm_deals
    where not is_archived
),

deal_stages as (
    select * from seeds.deal_stages
),

numbers as (
    select 0 as number
    union all
    select 1 as number
    union all
    select 2 as number
    union all
    select 3 as number
    union all
    select 4 as number
    union all
    select 5 as number
    union all
    select 6 as number
    union all
    select 7 as number
    union all
    select 8 as number
    union all
    select 9 as number
    union all
    select 10 as number
    union all
    select 11 as number
    union all
    select 12 as number
),

this_month as (
    select cast(date_trunc('month', {{ as_of }}) as date) as month
),

months as (
    -- 31 days for each month lead into the month wanted, never beyond it.
    select
        cast(date_trunc('month', ADD_DAYS(this_month.month, 31 * numbers.number)) as date)
            as month,
        cast(date_trunc('month', ADD_DAYS(this_month.month, 31 * numbers.number + 31)) as date)
            as next_month
    from numbers
    cross join this_month
),

spans as (
    select
        month,
        DAYS_BETWEEN(
            greatest(month, cast({{ as_of }} as date)),
            least(next_month, ADD_DAYS({{ as_of }}, {{ horizon_days }}))
        ) as days
    from months
),

shop as (
    -- A shop keeps its books in one currency.
    select coalesce(max(currency), 'unknown') as currency
    from orders
),

customers as (
    select
        count(score) as customers,
        sum(score) as expected_value,
        max(abstains_because) as abstains_because
    from clv
),

sales_cycle as (
    select
        coalesce(
            cast(floor(MEDIAN(DAYS_BETWEEN(created_at, closed_at))) as bigint),
            {{ usual_days_to_close }}
        ) as days
    from deals
    where outcome = 'won'
),

open_deals as (
    select
        coalesce(deals.currency, shop.currency) as currency,
        deals.amount,
        deals.amount
        * coalesce(deal_stages.probability, {{ unknown_stage_probability }}) as weighted_amount,
        coalesce(
            cast(deals.expected_close_at as date), ADD_DAYS(deals.created_at, sales_cycle.days)
        ) as expected_on
    from deals
    cross join sales_cycle
    cross join shop
    left join deal_stages on deals.deal_stage = deal_stages.deal_stage
    where deals.outcome = 'open' and deals.amount is not null
),

dated_deals as (
    select
        currency,
        amount,
        weighted_amount,
        -- What should have been closed already may be closed any day.
        greatest(expected_on, cast({{ as_of }} as date)) as expected_on
    from open_deals
),

monthly_deals as (
    select
        cast(date_trunc('month', expected_on) as date) as month,
        currency,
        count(*) as deals,
        sum(amount) as amount,
        sum(weighted_amount) as weighted_amount
    from dated_deals
    group by cast(date_trunc('month', expected_on) as date), currency
),

currencies as (
    select currency
    from shop
    union
    select currency
    from open_deals
),

combined as (
    select
        spans.month,
        currencies.currency,
        spans.days,
        case when currencies.currency = shop.currency then customers.customers else 0 end
            as customers,
        case when currencies.currency = shop.currency then customers.abstains_because end
            as abstains_because,
        case
            when currencies.currency <> shop.currency then 0
            else
                cast(
                    RATIO(customers.expected_value * spans.days, {{ horizon_days }})
                    as decimal(18, 2)
                )
        end as from_customers,
        coalesce(monthly_deals.deals, 0) as deals,
        coalesce(monthly_deals.amount, 0) as deals_amount,
        cast(coalesce(monthly_deals.weighted_amount, 0) as decimal(18, 2)) as from_deals
    from spans
    cross join currencies
    cross join shop
    cross join customers
    left join monthly_deals
        on spans.month = monthly_deals.month and currencies.currency = monthly_deals.currency
    where spans.days > 0
)

select
    month,
    currency,
    cast(days as bigint) as days,
    cast(customers as bigint) as customers,
    cast(from_customers as decimal(18, 2)) as from_customers,
    cast(deals as bigint) as open_deals,
    cast(deals_amount as decimal(18, 2)) as open_deals_amount,
    from_deals,
    -- Without a prediction for customers there is none for the whole.
    cast(from_customers + from_deals as decimal(18, 2)) as expected_revenue,
    case when from_customers is null then coalesce(abstains_because, 'no customers') end
        as abstains_because
from combined
