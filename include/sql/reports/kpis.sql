-- Targets, set before a period began, against what was reached. A running period is on track when
-- as much of the target is reached as of the period is over; a rate or a stock, when it is met.
-- answers: Do we reach our goals this quarter? Where are we behind?
-- owner: crm
-- grain: kpi, period_start, period_end
with targets as (
    select * from seeds.kpi_targets
),

definitions as (
    select
        *,
        per_figure is null and summed_over = 'period' as grows
    from seeds.kpis
),

figures as (
    select * from reports.daily_figures
),

defined as (
    select
        targets.kpi,
        targets.period_start,
        targets.period_end,
        targets.target,
        definitions.figure,
        definitions.per_figure,
        definitions.summed_over,
        definitions.better,
        definitions.grows,
        least(
            RATIO(
                DAYS_BETWEEN(targets.period_start, {{ as_of }}),
                DAYS_BETWEEN(targets.period_start, targets.period_end) + 1
            ),
            1
        ) as elapsed
    from targets
    left join definitions on targets.kpi = definitions.kpi
),

reached as (
    select
        defined.kpi,
        defined.period_start,
        defined.period_end,
        coalesce(sum(case when figures.figure = defined.figure then figures.value end), 0) as part,
        sum(case when figures.figure = defined.per_figure then figures.value end) as whole
    from defined
    left join figures
        on
            figures.figure in (defined.figure, defined.per_figure)
            and defined.period_end >= figures.day
            and (defined.period_start <= figures.day or defined.summed_over = 'all time')
    where defined.elapsed >= 0
    group by defined.kpi, defined.period_start, defined.period_end
),

measured as (
    select
        defined.*,
        case
            when defined.per_figure is null then cast(reached.part as decimal(18, 6))
            else cast(RATIO(reached.part, reached.whole) as decimal(18, 6))
        end as actual
    from defined
    left join reached
        on
            defined.kpi = reached.kpi
            and defined.period_start = reached.period_start
            and defined.period_end = reached.period_end
            and defined.figure is not null
),

shared as (
    select
        *,
        cast(RATIO(actual, target) as decimal(18, 6)) as share_of_target,
        case when better = 'less' then actual <= target else actual >= target end as is_met
    from measured
)

select
    kpi,
    period_start,
    period_end,
    target,
    actual,
    share_of_target,
    cast(case when elapsed < 0 then 0 else elapsed end as decimal(18, 6)) as share_of_period,
    case
        when figure is null then 'not_defined'
        when elapsed < 0 then 'not_started'
        when actual is null then 'no_data'
        when elapsed >= 1 and is_met then 'met'
        when elapsed >= 1 then 'missed'
        when is_met then 'on_track'
        when grows and share_of_target >= elapsed then 'on_track'
        else 'behind'
    end as status
from shared
