-- Each contact's segments and RFM cell in one line, such as rfm:champions;segment:subscribers.
-- owner: crm
-- grain: contact_id
with segment_members as (
    select * from segments.members
),

rfm as (
    select * from scores.rfm
),

listed as (
    select
        contact_id,
        'segment:' || name as membership
    from segment_members
    union all
    select
        contact_id,
        'rfm:' || cell as membership
    from rfm
)

select
    contact_id,
    string_agg(membership, ';' order by membership) as memberships
from listed
group by contact_id
