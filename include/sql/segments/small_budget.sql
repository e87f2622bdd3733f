-- People whose stated budget is below 1,000 a year.
-- owner: sales
-- grain: contact_id
{% set budget_below = 1000 %}
with bant as (
    select * from scores.bant
)

select contact_id
from bant
where budget < {{ budget_below }}
