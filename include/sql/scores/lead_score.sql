-- How much a contact looks like a buyer, 0 to 100: who it is (fit) and what it did (engagement).
-- The grade says both: A to C for fit, 1 to 3 for engagement.
-- answers: Which leads are worth a call?
-- owner: crm
-- grain: contact_id
{% set good_fit = 25 %}
{% set some_fit = 10 %}
{% set high_engagement = 30 %}
{% set some_engagement = 10 %}
with contacts as (
    select contact_id from core.contacts
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
),

scored as (
    select
        contacts.contact_id,
        coalesce(sums.score, 0) as score,
        coalesce(sums.fit_score, 0) as fit_score,
        coalesce(sums.engagement_score, 0) as engagement_score,
        sums.last_engaged_at
    from contacts
    left join sums on contacts.contact_id = sums.contact_id
)

select
    contact_id,
    cast(score as decimal(18, 6)) as score,
    cast(fit_score as decimal(18, 6)) as fit_score,
    cast(engagement_score as decimal(18, 6)) as engagement_score,
    case
        when fit_score >= {{ good_fit }} then 'A'
        when fit_score >= {{ some_fit }} then 'B'
        else 'C'
    end || case
        when engagement_score >= {{ high_engagement }} then '1'
        when engagement_score >= {{ some_engagement }} then '2'
        else '3'
    end as grade,
    last_engaged_at
from scored
