-- People whose stated budget is 5,000 a year or more.
-- owner: sales
-- grain: contact_id
{% set budget_from = 5000 %}
with bant as (
    select * from scores.bant
)

select contact_id
from bant
where budget >= {{ budget_from }}
