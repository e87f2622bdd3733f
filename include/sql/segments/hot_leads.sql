-- People with a high lead score who did something lately and are no customers yet.
-- owner: sales
-- grain: contact_id
{% set hot_from = 40 %}
{% set engaged_within_days = 14 %}
with lead_score as (
    select * from scores.lead_score
),

stages as (
    select * from lifecycle.stage
)

select lead_score.contact_id
from lead_score
inner join stages on lead_score.contact_id = stages.contact_id
where
    lead_score.score >= {{ hot_from }}
    and DAYS_BETWEEN(lead_score.last_engaged_at, {{ as_of }}) <= {{ engaged_within_days }}
    and stages.stage not in ('customer', 'evangelist')
