-- What came of each step of a flow: how many it was asked about, why not all were written to, and
-- what those who were did. Occurrences are counted, not people; orders are those of the last touch.
-- answers: Why are so few written to? What does this step of a flow bring?
-- owner: crm
-- grain: flow, step, variant, channel
with decisions as (
    select
        flow,
        step,
        coalesce(variant, '') as variant,
        channel,
        reason,
        is_final,
        decided_as_of
    from staging.ledger_decisions
),

message_funnel as (
    select * from reports.message_funnel
    where level = 'variant'
),

counted as (
    select
        flow,
        step,
        variant,
        channel,
        count(*) as occurrences,
        count(case when reason = 'planned' then 1 end) as planned,
        count(case when reason = 'branched' then 1 end) as branched,
        count(case when reason = 'goal_reached' then 1 end) as goal_reached,
        count(case when reason = 'condition_false' then 1 end) as condition_false,
        count(case when reason = 'other_branch' then 1 end) as other_branch,
        count(case when reason in ('expired', 'quiet_hours') then 1 end) as too_late,
        count(case when reason = 'unreachable' then 1 end) as unreachable,
        count(case when reason = 'no_consent' then 1 end) as no_consent,
        count(case when reason = 'suppressed' then 1 end) as suppressed,
        count(case when reason = 'holdout' then 1 end) as held_out,
        count(case when reason = 'not_in_pilot' then 1 end) as not_in_pilot,
        count(case when not is_final then 1 end) as open,
        min(decided_as_of) as first_decided_as_of,
        max(decided_as_of) as last_decided_as_of
    from decisions
    group by flow, step, variant, channel
)

select
    counted.flow,
    counted.step,
    counted.variant,
    counted.channel,
    cast(counted.occurrences as bigint) as occurrences,
    cast(counted.planned as bigint) as planned,
    cast(counted.branched as bigint) as branched,
    cast(counted.goal_reached as bigint) as goal_reached,
    cast(counted.condition_false as bigint) as condition_false,
    cast(counted.other_branch as bigint) as other_branch,
    cast(counted.too_late as bigint) as too_late,
    cast(counted.unreachable as bigint) as unreachable,
    cast(counted.no_consent as bigint) as no_consent,
    cast(counted.suppressed as bigint) as suppressed,
    cast(counted.held_out as bigint) as held_out,
    cast(counted.not_in_pilot as bigint) as not_in_pilot,
    -- Not decided for good: not due, capped, paused and the like.
    cast(counted.open as bigint) as open,
    coalesce(message_funnel.sent, 0) as sent,
    coalesce(message_funnel.delivered, 0) as delivered,
    coalesce(message_funnel.opened, 0) as opened,
    coalesce(message_funnel.clicked, 0) as clicked,
    coalesce(message_funnel.ordered, 0) as ordered,
    cast(coalesce(message_funnel.revenue, 0) as decimal(18, 2)) as revenue,
    counted.first_decided_as_of,
    counted.last_decided_as_of
from counted
left join message_funnel
    on
        counted.flow = message_funnel.flow
        and counted.step = message_funnel.step
        and counted.variant = message_funnel.variant
