-- When a contact was qualified for marketing (MQL): from the day its points reached the mark.
-- owner: crm
-- grain: contact_id, entered_at
-- answers: When was this contact qualified for marketing?
{% set qualified_at = 50 %}
{% set gathered_within = 60 %}
{% set lasts = "91 days" %}
with lead_score_points as (
    select * from scores.lead_score_points
),

able as (
    -- Whose points do not reach the mark all together do not reach it within sixty days.
    select
        contact_id,
        sum(case when rule_group = 'fit' then base_points else 0 end) as fit_points
    from lead_score_points
    group by contact_id
    having sum(greatest(base_points, 0)) >= {{ qualified_at }}
),

days as (
    select
        lead_score_points.contact_id,
        DAYS_BETWEEN(date '2000-01-01', lead_score_points.day) as day_number,
        able.fit_points,
        max(lead_score_points.last_at) as last_at,
        sum(lead_score_points.base_points) as points
    from lead_score_points
    inner join able on lead_score_points.contact_id = able.contact_id
    where lead_score_points.rule_group = 'engagement'
    group by lead_score_points.contact_id, lead_score_points.day, able.fit_points
),

gathered as (
    select
        contact_id,
        last_at,
        fit_points,
        -- Undecayed points of the last days, so that what was true once does not change later.
        sum(points) over (
            partition by contact_id
            order by day_number
            range between {{ gathered_within }} preceding and current row
        ) as points
    from days
),

reached as (
    select
        contact_id,
        last_at,
        lag(last_at) over (partition by contact_id order by last_at) as previous_at
    from gathered
    where points + fit_points >= {{ qualified_at }}
),

numbered as (
    select
        contact_id,
        last_at,
        -- A new period begins when the one before had run out.
        sum(
            case
                when date_trunc('day', previous_at) + interval '{{ lasts }}' >= last_at then 0
                else 1
            end
        ) over (
            partition by contact_id
            order by last_at
            rows between unbounded preceding and current row
        ) as period
    from reached
)

-- It holds for the day of the last touch and ninety more, to midnight.
select
    contact_id,
    min(last_at) as entered_at,
    date_trunc('day', max(last_at)) + interval '{{ lasts }}' as left_at
from numbered
group by contact_id, period
