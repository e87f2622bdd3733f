-- The tenth of the buyers who spent most, net of refunds.
-- owner: crm
-- grain: contact_id
{% set one_of = 10 %}
with buyers as (
    select * from scores.rfm
),

ranked as (
    select
        contact_id,
        count(*) over () as buyers,
        -- Who spent as much as the last of the tenth belongs to it.
        rank() over (order by net_amount desc) - 1 as spent_more
    from buyers
)

select contact_id
from ranked
where {{ one_of }} * spent_more < buyers
