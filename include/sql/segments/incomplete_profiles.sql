-- People of whom less than half is known of what we would like to know.
-- owner: crm
-- grain: contact_id
{% set complete_from = 50 %}
with profiles as (
    select * from scores.profile_completeness
)

select contact_id
from profiles
where score < {{ complete_from }}
