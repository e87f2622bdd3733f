-- How many came to each stage of a funnel, how many of them went on, where to and how fast.
-- owner: crm
-- grain: name, stage
-- answers: Where do we lose people? How long does it take from lead to customer? What is skipped?
with members as (
    select * from funnels.members
),

stages as (
    select
        name,
        stage,
        stage_rank,
        lead(stage) over (partition by name order by stage_rank) as next_stage
    from (
        select distinct
            name,
            stage,
            stage_rank
        from members
    ) as listed
),

counted as (
    -- Who falls back into a stage, or comes there again, does not pass through it.
    select
        stages.name,
        stages.stage,
        stages.stage_rank,
        stages.next_stage,
        sum(case when members.is_first then 1 else 0 end) as entered,
        count(members.passed_at) as moved_on,
        sum(case when members.passed_to = stages.next_stage then 1 else 0 end) as moved_to_next,
        MEDIAN(DAYS_BETWEEN(members.entered_at, members.passed_at)) as median_days
    from members
    inner join stages on members.name = stages.name and members.stage_rank = stages.stage_rank
    group by stages.name, stages.stage, stages.stage_rank, stages.next_stage
),

reached as (
    select
        *,
        -- Who has never stood higher, came as far as this.
        sum(entered - moved_on) over (partition by name order by stage_rank desc) as reached,
        sum(entered - moved_on) over (partition by name) as people
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
