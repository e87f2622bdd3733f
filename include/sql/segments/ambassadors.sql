-- People who carry the word on: many followers, or friends who came and bought by their link.
-- owner: crm
-- grain: contact_id
{% set ambassador_from = 30 %}
with advocates as (
    select * from scores.advocacy
)

select contact_id
from advocates
where score >= {{ ambassador_from }}
