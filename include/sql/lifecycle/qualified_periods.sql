-- When a contact was qualified for marketing (MQL): from the day its points reached the mark.
-- owner: crm
-- grain: contact_id, entered_at
-- answers: When was this contact qualified for marketing?
{% set qualified_at = 50 %}
{% set gathered_within = 60 %}
{% set lasts = "90 days" %}
with lead_score_points as (
    select * from scores.lead_score_points
),

fit as (
    select
        contact_id,
        sum(base_points) as points
    from lead_score_points
    where rule_group = 'fit'
    group by contact_id
),

days as (
    select
        contact_id,
        DAYS_BETWEEN(date '2000-01-01', day) as day_number,
        max(last_at) as last_at,
        sum(base_points) as points
    from lead_score_points
    where rule_group = 'engagement'
    group by contact_id, day
),

gathered as (
    select
        contact_id,
        last_at,
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
        gathered.contact_id,
        gathered.last_at,
        lag(gathered.last_at) over (
            partition by gathered.contact_id order by gathered.last_at
        ) as previous_at
    from gathered
    left join fit on gathered.contact_id = fit.contact_id
    where gathered.points + coalesce(fit.points, 0) >= {{ qualified_at }}
),

numbered as (
    select
        contact_id,
        last_at,
        -- A new period begins when the one before had run out.
        sum(
            case when previous_at + interval '{{ lasts }}' >= last_at then 0 else 1 end
        ) over (
            partition by contact_id
            order by last_at
            rows between unbounded preceding and current row
        ) as period
    from reached
)

select
    contact_id,
    min(last_at) as entered_at,
    max(last_at) + interval '{{ lasts }}' as left_at
from numbered
group by contact_id, period
