-- How far the circuit between us and a person is closed, from known to bringing others.
-- answers: How far is the circuit between us and a person closed?
-- owner: crm
-- grain: contact_id, entered_at
with milestones as (
    select * from lifecycle.milestones
)

select
    contact_id,
    known_from,
    known_until,
    'known' as known_evidence,
    subscribed_from as permitted_from,
    subscribed_until as permitted_until,
    'consent' as permitted_evidence,
    answering_from as responsive_from,
    answering_until as responsive_until,
    'open or click' as responsive_evidence,
    buyer_from,
    buyer_until,
    'order' as buyer_evidence,
    regular_from,
    regular_until,
    'another order' as regular_evidence,
    advocate_from,
    advocate_until,
    'referral' as advocate_evidence
from milestones
