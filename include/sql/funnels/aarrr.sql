-- AARRR, the pirate metrics (McClure, 2007): acquisition, activation, retention, referral, revenue.
-- answers: Where do we lose people between the first visit and revenue?
-- owner: crm
-- grain: contact_id, entered_at
with milestones as (
    select * from lifecycle.milestones
)

select
    contact_id,
    least(known_from, active_from) as acquisition_from,
    greatest(known_until, active_until) as acquisition_until,
    case least(known_from, active_from)
        when known_from then 'known'
        else 'visit, open or click'
    end as acquisition_evidence,
    least(subscribed_from, wanting_from, informed_from) as activation_from,
    greatest(subscribed_until, wanting_until, informed_until) as activation_until,
    case least(subscribed_from, wanting_from, informed_from)
        when subscribed_from then 'consent'
        when wanting_from then 'cart'
        else 'download or form'
    end as activation_evidence,
    answering_from as retention_from,
    answering_until as retention_until,
    'open or click' as retention_evidence,
    advocate_from as referral_from,
    advocate_until as referral_until,
    'referral' as referral_evidence,
    buyer_from as revenue_from,
    buyer_until as revenue_until,
    'order' as revenue_evidence
from milestones
