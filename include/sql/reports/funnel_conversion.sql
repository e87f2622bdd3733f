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
        lead(stage) over (partition by name order by stage_rank) as next_stage,
        lead(stage_rank) over (partition by name order by stage_rank) as next_rank
    from (
        select distinct
            name,
            stage,
            stage_rank
        from members
    ) as listed
),

advances as (
    -- The first time in a stage, and when and where the contact first stood higher. Who falls back
    -- into a stage, or comes there again, does not pass through it.
    select
        name,
        stage_rank,
        entered_at,
        lead(entered_at) over (partition by name, contact_id order by entered_at) as passed_at,
        lead(stage_rank) over (partition by name, contact_id order by entered_at) as passed_to
    from members
    where is_first
),

counted as (
    select
        stages.name,
        stages.stage,
        stages.stage_rank,
        stages.next_stage,
        count(advances.entered_at) as entered,
        count(advances.passed_at) as moved_on,
        sum(case when advances.passed_to = stages.next_rank then 1 else 0 end) as moved_to_next,
        MEDIAN(DAYS_BETWEEN(advances.entered_at, advances.passed_at)) as median_days
    from stages
    left join advances
        on stages.name = advances.name and stages.stage_rank = advances.stage_rank
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
