-- AIDA (Lewis, 1898): attention, interest, desire, action; how close a person is to a purchase.
-- answers: How close is each person to a purchase?
-- owner: crm
-- grain: contact_id, entered_at
with milestones as (
    select * from lifecycle.milestones
)

select
    contact_id,
    active_from as attention_from,
    active_until as attention_until,
    'visit, open or click' as attention_evidence,
    least(informed_from, interested_from) as interest_from,
    greatest(informed_until, interested_until) as interest_until,
    case least(informed_from, interested_from)
        when informed_from then 'download or form'
        else 'product view or search'
    end as interest_evidence,
    wanting_from as desire_from,
    wanting_until as desire_until,
    'cart' as desire_evidence,
    buyer_from as action_from,
    buyer_until as action_until,
    'order' as action_evidence
from milestones
