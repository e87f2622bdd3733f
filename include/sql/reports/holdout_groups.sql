-- Those a flow wrote to and those it held out at random, and what they bought within the same days
-- from the first decision on. A person who was in both groups counts in neither.
-- answers: Who was written to and who was held out, and what did they buy?
-- owner: crm
-- grain: flow, arm
{% set window_days = 14 %}
with contact_keys as (
    select
        record_id,
        contact_id
    from core.contact_keys
),

decisions as (
    select
        flow,
        contact_id,
        reason,
        decided_as_of
    from staging.ledger_decisions
    where reason in ('planned', 'holdout')
),

orders as (
    select
        contact_id,
        ordered_at,
        net_amount
    from core.orders
    -- What was sent back whole was not bought.
    where is_valid and net_amount > 0
),

people as (
    select
        decisions.flow,
        contact_keys.contact_id,
        min(decisions.reason) as arm,
        min(decisions.decided_as_of) as began_at
    from decisions
    -- The ledger keeps the contact_id of its day; the record may have joined an older one since.
    inner join contact_keys on decisions.contact_id = contact_keys.record_id
    group by decisions.flow, contact_keys.contact_id
    having
        min(decisions.reason) = max(decisions.reason)
        -- Only those whose days are over.
        and DAYS_BETWEEN(min(decisions.decided_as_of), {{ as_of }}) > {{ window_days }}
),

bought as (
    select
        people.flow,
        people.contact_id,
        sum(orders.net_amount) as revenue
    from people
    inner join orders
        on
            people.contact_id = orders.contact_id
            and people.began_at < orders.ordered_at
            and people.began_at + interval '{{ window_days }} days' >= orders.ordered_at
    group by people.flow, people.contact_id
),

counted as (
    select
        people.flow,
        people.arm,
        count(*) as people,
        count(bought.contact_id) as buyers,
        coalesce(sum(bought.revenue), 0) as revenue,
        coalesce(sum(bought.revenue * bought.revenue), 0) as squared_revenue
    from people
    left join bought
        on people.flow = bought.flow and people.contact_id = bought.contact_id
    group by people.flow, people.arm
)

select
    flow,
    case arm when 'planned' then 'treated' else 'control' end as arm,
    cast(people as bigint) as people,
    cast(buyers as bigint) as buyers,
    cast(revenue as decimal(18, 2)) as revenue,
    -- For the spread of what people spend.
    cast(squared_revenue as decimal(18, 2)) as squared_revenue
from counted
