-- The REAL phases that content is written for: reach, engage, activate, loyalty.
-- answers: Which phase is content for a person to be chosen for?
-- owner: crm
-- grain: contact_id, entered_at
with milestones as (
    select * from lifecycle.milestones
)

select
    contact_id,
    least(known_from, active_from) as reach_from,
    greatest(known_until, active_until) as reach_until,
    case least(known_from, active_from)
        when known_from then 'known'
        else 'visit, open or click'
    end as reach_evidence,
    least(subscribed_from, answering_from, interested_from) as engage_from,
    greatest(subscribed_until, answering_until, interested_until) as engage_until,
    case least(subscribed_from, answering_from, interested_from)
        when subscribed_from then 'consent'
        when answering_from then 'open or click'
        else 'product view or search'
    end as engage_evidence,
    least(buyer_from, wanting_from, informed_from) as activate_from,
    greatest(buyer_until, wanting_until, informed_until) as activate_until,
    case least(buyer_from, wanting_from, informed_from)
        when buyer_from then 'order'
        when wanting_from then 'cart'
        else 'download or form'
    end as activate_evidence,
    least(advocate_from, regular_from) as loyalty_from,
    greatest(advocate_until, regular_until) as loyalty_until,
    case least(advocate_from, regular_from)
        when advocate_from then 'referral'
        else 'another order'
    end as loyalty_evidence
from milestones
