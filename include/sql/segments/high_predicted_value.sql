-- The tenth of the buyers who are expected to spend most in the next 365 days.
-- owner: crm
-- grain: contact_id
{% set one_of = 10 %}
with buyers as (
    select * from scores.clv
    -- Where the data are too thin nothing is predicted.
    where score is not null
),

ranked as (
    select
        contact_id,
        count(*) over () as buyers,
        rank() over (order by score desc) - 1 as worth_more
    from buyers
)

select contact_id
from ranked
where {{ one_of }} * worth_more < buyers
