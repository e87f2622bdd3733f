-- Leads in the hands of marketing or sales that have stood in one stage for over 60 days and have
-- done nothing for 30.
-- owner: sales
-- grain: contact_id
{% set stands_for_days = 60 %}
{% set silent_for_days = 30 %}
with stages as (
    select * from lifecycle.stage
    where stage in ('mql', 'sql', 'opportunity')
),

engagement as (
    select * from scores.engagement
)

select stages.contact_id
from stages
left join engagement on stages.contact_id = engagement.contact_id
where
    DAYS_BETWEEN(stages.stage_since, {{ as_of }}) > {{ stands_for_days }}
    and (
        engagement.last_engaged_at is null
        or DAYS_BETWEEN(engagement.last_engaged_at, {{ as_of }}) > {{ silent_for_days }}
    )
