-- No customers yet, but budget, authority, need and time frame fit: sales should call.
-- owner: sales
-- grain: contact_id
{% set ready_from = 60 %}
{% set known_from = 3 %}
with bant as (
    select * from scores.bant
),

stages as (
    select * from lifecycle.stage
)

select bant.contact_id
from bant
inner join stages on bant.contact_id = stages.contact_id
where
    bant.score >= {{ ready_from }}
    and bant.known >= {{ known_from }}
    and stages.stage not in ('customer', 'evangelist')
