-- Who stands where in each funnel, how long people stay there, and how many are stuck.
-- owner: crm
-- grain: name, stage
-- answers: How many are in each stage? How long do people stay in it? Where are they stuck?
{% set stuck_after_medians = 2 %}
{% set least_stays = 20 %}
with members as (
    select
        name,
        stage,
        stage_rank,
        left_at is null as is_there,
        DAYS_BETWEEN(
            entered_at, coalesce(cast(left_at as date), cast({{ as_of }} as date))
        ) as days
    from funnels.members
),

stages as (
    select
        name,
        stage,
        stage_rank,
        sum(case when is_there then 1 else 0 end) as contacts,
        sum(case when is_there then 0 else 1 end) as completed_stays,
        MEDIAN(case when is_there then days end) as median_days_so_far,
        MEDIAN(case when is_there then null else days end) as median_days
    from members
    group by name, stage, stage_rank
),

stuck as (
    -- Much longer than those who went on took; from a handful of them nothing can be told.
    select
        stages.name,
        stages.stage_rank,
        sum(
            case
                when
                    members.is_there
                    and members.days > {{ stuck_after_medians }} * stages.median_days
                    then 1
                else 0
            end
        ) as contacts
    from members
    inner join stages on members.name = stages.name and members.stage_rank = stages.stage_rank
    where stages.completed_stays >= {{ least_stays }}
    group by stages.name, stages.stage_rank
)

select
    stages.name,
    stages.stage,
    stages.stage_rank,
    cast(stages.contacts as bigint) as contacts,
    cast(stages.median_days_so_far as decimal(18, 6)) as median_days_so_far,
    cast(stages.completed_stays as bigint) as completed_stays,
    cast(stages.median_days as decimal(18, 6)) as median_days,
    cast(stuck.contacts as bigint) as stuck,
    cast(RATIO(stuck.contacts, stages.contacts) as decimal(18, 6)) as stuck_share
from stages
left join stuck on stages.name = stuck.name and stages.stage_rank = stuck.stage_rank
