-- AICA: attention, interest, conviction, action; AIDA for those who are won by reasons.
-- answers: Whom have reasons convinced, and whom not yet?
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
    interested_from as interest_from,
    interested_until as interest_until,
    'product view or search' as interest_evidence,
    least(wanting_from, informed_from) as conviction_from,
    greatest(wanting_until, informed_until) as conviction_until,
    case least(wanting_from, informed_from)
        when wanting_from then 'cart'
        else 'download or form'
    end as conviction_evidence,
    buyer_from as action_from,
    buyer_until as action_until,
    'order' as action_evidence
from milestones
