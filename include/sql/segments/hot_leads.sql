-- People with a high lead score who did something lately and are no customers yet.
-- owner: sales
-- grain: contact_id
{% set hot_from = 40 %}
{% set engaged_within = "14 days" %}
with lead_score as (
    select * from scores.lead_score
),

stage as (
    select * from lifecycle.stage
)

select lead_score.contact_id
from lead_score
inner join stage on lead_score.contact_id = stage.contact_id
where
    lead_score.score >= {{ hot_from }}
    and lead_score.last_engaged_at >= {{ as_of }} - interval '{{ engaged_within }}'
    and stage.stage in ('other', 'subscriber', 'lead', 'mql', 'sql', 'opportunity')
