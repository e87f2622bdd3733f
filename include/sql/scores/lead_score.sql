-- How much a contact looks like a buyer, 0 to 100: who it is (fit) and what it did (engagement).
-- owner: crm
-- grain: contact_id
with contacts as (
    select * from core.contacts
    where not is_archived
),

contributions as (
    select * from scores.lead_score_contributions
),

sums as (
    select
        contact_id,
        sum(points) as score,
        sum(case when rule_group = 'fit' then points else 0 end) as fit_score,
        sum(case when rule_group = 'engagement' then points else 0 end) as engagement_score,
        max(last_occurred_at) as last_engaged_at
    from contributions
    group by contact_id
)

select
    contacts.contact_id,
    cast(coalesce(sums.score, 0) as decimal(18, 6)) as score,
    cast(coalesce(sums.fit_score, 0) as decimal(18, 6)) as fit_score,
    cast(coalesce(sums.engagement_score, 0) as decimal(18, 6)) as engagement_score,
    sums.last_engaged_at
from contacts
left join sums on contacts.contact_id = sums.contact_id
