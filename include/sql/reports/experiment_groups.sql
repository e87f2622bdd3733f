-- The first people of each variant of a split test whose days are over, and how many clicked or
-- ordered. These numbers then stand still, so looking every day makes no result out of chance.
-- answers: How many of a split test's people clicked or ordered?
-- owner: crm
-- grain: flow, step, metric, variant
{% set window_days = 7 %}
{% set people_wanted = 1000 %}
with records as (
    -- The ledger keeps the id of its day: a record's, or a visitor's nobody knew then.
    select
        contact_id,
        record_id
    from core.contact_keys
    union
    select
        contact_id,
        visitor_id as record_id
    from core.visitor_keys
),

decisions as (
    select
        flow,
        step,
        variant,
        channel,
        contact_id,
        occurrence_id,
        occurred_at,
        reason,
        decided_as_of
    from staging.ledger_decisions
    where
        variant <> ''
        -- What does not depend on the variant: consent, holdout, conditions.
        and (
            reason in ('planned', 'goal_reached', 'expired', 'quiet_hours')
            -- A branch by a condition is no test.
            or (reason = 'branched' and variant not in ('then', 'otherwise'))
        )
),

permissions as (
    select
        contact_id,
        channel
    from core.permissions
    where topic = 'marketing'
),

message_outcomes as (
    select
        flow,
        step,
        contact_id,
        occurrence_id,
        clicked_at
    from core.message_outcomes
    where clicked_at is not null
),

orders as (
    select
        contact_id,
        ordered_at
    from core.orders
    -- What was sent back whole was not bought.
    where is_valid and net_amount > 0
),

drawn as (
    select
        decisions.*,
        coalesce(records.contact_id, decisions.contact_id) as person_id
    from decisions
    left join records on decisions.contact_id = records.record_id
),

eligible as (
    -- Who would have been written to: of those who got there first, who may be.
    select drawn.*
    from drawn
    where
        drawn.reason in ('planned', 'branched')
        or exists (
            select 1 from permissions
            where
                permissions.contact_id = drawn.person_id
                and permissions.channel = drawn.channel
        )
),

first_times as (
    select
        *,
        row_number() over (
            partition by flow, step, person_id
            order by decided_as_of, occurrence_id, contact_id
        ) as place,
        min(variant) over (partition by flow, step, person_id) as least_variant,
        max(variant) over (partition by flow, step, person_id) as greatest_variant
    from eligible
),

people as (
    select
        *,
        row_number() over (
            partition by flow, step, variant
            order by decided_as_of, md5(person_id), person_id
        ) as place_in_test
    from first_times
    where
        place = 1
        -- Two records of one person may have got two variants.
        and least_variant = greatest_variant
),

counted as (
    select * from people
    where
        place_in_test <= {{ people_wanted }}
        and DAYS_BETWEEN(decided_as_of, {{ as_of }}) > {{ window_days }}
),

clicked as (
    select
        counted.flow,
        counted.step,
        counted.person_id
    from counted
    inner join message_outcomes
        on
            counted.flow = message_outcomes.flow
            and counted.person_id = message_outcomes.contact_id
            and counted.occurrence_id = message_outcomes.occurrence_id
            and (counted.step = message_outcomes.step or counted.reason = 'branched')
            and counted.decided_as_of + interval '{{ window_days }} days'
            >= message_outcomes.clicked_at
    group by counted.flow, counted.step, counted.person_id
),

ordered as (
    select
        counted.flow,
        counted.step,
        counted.person_id
    from counted
    inner join orders
        on
            counted.person_id = orders.contact_id
            and counted.decided_as_of + interval '{{ window_days }} days' >= orders.ordered_at
            -- Whoever had reached the goal may have ordered before the decision.
            and case
                when counted.reason = 'goal_reached' then counted.occurred_at
                else counted.decided_as_of
            end < orders.ordered_at
    group by counted.flow, counted.step, counted.person_id
),

groups as (
    select
        counted.flow,
        counted.step,
        counted.variant,
        count(*) as people,
        count(clicked.person_id) as clicked,
        count(ordered.person_id) as ordered
    from counted
    left join clicked
        on
            counted.flow = clicked.flow
            and counted.step = clicked.step
            and counted.person_id = clicked.person_id
    left join ordered
        on
            counted.flow = ordered.flow
            and counted.step = ordered.step
            and counted.person_id = ordered.person_id
    group by counted.flow, counted.step, counted.variant
)

select
    flow,
    step,
    'clicked' as metric,
    variant,
    cast(people as bigint) as people,
    cast(clicked as bigint) as successes,
    people >= {{ people_wanted }} as is_complete
from groups
union all
select
    flow,
    step,
    'ordered' as metric,
    variant,
    cast(people as bigint) as people,
    cast(ordered as bigint) as successes,
    people >= {{ people_wanted }} as is_complete
from groups
