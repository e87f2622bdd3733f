-- A lead has left the stage it was nurtured in, forwards or backwards, or is ready for sales: about
-- that stage's occurrence only.
-- owner: sales
-- grain: contact_id, occurrence_id, occurred_at
{% set look_back_days = 180 %}
with stages as (
    select
        contact_id,
        stage as occurrence_id,
        entered_at,
        left_at
    from lifecycle.stage_history
    where
        stage in ('lead', 'mql')
        and is_first
        and DAYS_BETWEEN(entered_at, {{ as_of }}) <= {{ look_back_days }}
),

ready as (
    select * from segments.sales_ready
),

bant as (
    select
        contact_id,
        last_said_at
    from scores.bant
)

select
    contact_id,
    occurrence_id,
    left_at as occurred_at
from stages
where left_at is not null
union all
select
    stages.contact_id,
    stages.occurrence_id,
    -- Who was ready before goes to sales at once.
    greatest(bant.last_said_at, stages.entered_at + interval '1 second') as occurred_at
from stages
inner join ready on stages.contact_id = ready.contact_id
inner join bant on stages.contact_id = bant.contact_id
where stages.left_at is null
