-- How many came to each stage of a funnel, how many of them went on, where to and how fast.
-- owner: crm
-- grain: name, stage
-- answers: Where do we lose people? How long does it take from lead to customer? What is skipped?
with members as (
    select
        name,
        contact_id,
        stage_rank,
        min(entered_at) as entered_at
    from funnels.members
    group by name, contact_id, stage_rank
),

stages as (
    select
        name,
        stage,
        stage_rank,
        lead(stage) over (partition by name order by stage_rank) as next_stage,
        lead(stage_rank) over (partition by name order by stage_rank) as next_rank
    from (
        select distinct
            name,
            stage,
            stage_rank
        from funnels.members
    ) as listed
),

steps as (
    select
        name,
        stage_rank,
        entered_at,
        -- When the contact first stood higher; and its entry into the nearest of those stages.
        min(entered_at) over (
            partition by name, contact_id
            order by stage_rank desc
            rows between unbounded preceding and 1 preceding
        ) as passed_at,
        lag(stage_rank) over (
            partition by name, contact_id order by stage_rank desc
        ) as nearest_rank,
        lag(entered_at) over (
            partition by name, contact_id order by stage_rank desc
        ) as nearest_at
    from members
),

counted as (
    select
        stages.name,
        stages.stage,
        stages.stage_rank,
        stages.next_stage,
        -- Who has never stood higher, came as far as this.
        sum(case when steps.passed_at is null then 1 else 0 end) as highest,
        -- Who stood higher before, falls back into a stage, and does not pass through it.
        sum(
            case when steps.passed_at <= steps.entered_at then 0 else 1 end
        ) as entered,
        sum(case when steps.passed_at > steps.entered_at then 1 else 0 end) as moved_on,
        sum(
            case
                when
                    steps.passed_at > steps.entered_at
                    and steps.nearest_at = steps.passed_at
                    and steps.nearest_rank = stages.next_rank
                    then 1
                else 0
            end
        ) as moved_to_next,
        MEDIAN(
            case
                when steps.passed_at > steps.entered_at
                    then DAYS_BETWEEN(steps.entered_at, steps.passed_at)
            end
        ) as median_days
    from steps
    inner join stages on steps.name = stages.name and steps.stage_rank = stages.stage_rank
    group by stages.name, stages.stage, stages.stage_rank, stages.next_stage
),

reached as (
    select
        *,
        sum(highest) over (partition by name order by stage_rank desc) as reached,
        sum(highest) over (partition by name) as people
    from counted
)

select
    name,
    stage,
    stage_rank,
    next_stage,
    cast(reached as bigint) as reached,
    cast(RATIO(reached, people) as decimal(18, 6)) as reached_share,
    cast(entered as bigint) as entered,
    cast(moved_on as bigint) as moved_on,
    cast(RATIO(moved_on, entered) as decimal(18, 6)) as moved_on_share,
    cast(median_days as decimal(18, 6)) as median_days_to_move_on,
    cast(moved_to_next as bigint) as moved_to_next,
    cast(RATIO(moved_to_next, entered) as decimal(18, 6)) as moved_to_next_share
from reached
