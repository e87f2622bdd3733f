-- AIDA (Lewis, 1898): attention, interest, desire, action; how close a person is to a purchase.
-- answers: How close is each person to a purchase?
-- owner: crm
-- grain: contact_id, entered_at
with milestones as (
    select * from lifecycle.milestones
),

spans as (
    -- Whoever is in a stage has reached those before it, and holds them at least as long.
    select
        contact_id,
        active_from as attention_from,
        active_until as attention_until,
        least(informed_from, interested_from, wanting_from, buyer_from) as interest_from,
        greatest(informed_until, interested_until, wanting_until, buyer_until) as interest_until,
        least(wanting_from, buyer_from) as desire_from,
        greatest(wanting_until, buyer_until) as desire_until,
        buyer_from as action_from,
        buyer_until as action_until,
        informed_from,
        case
            when buyer_from is not null then 'action'
            when wanting_from is not null then 'desire'
            when coalesce(informed_from, interested_from) is not null then 'interest'
            else 'attention'
        end as highest_stage
    from milestones
),

steps as (
    select
        contact_id,
        'attention' as stage,
        1 as stage_rank,
        attention_from as reached_at,
        interest_from as passed_at,
        interest_until as back_at,
        attention_until as lost_at,
        highest_stage,
        'visit, open or click' as evidence
    from spans
    union all
    select
        contact_id,
        'interest' as stage,
        2 as stage_rank,
        interest_from as reached_at,
        desire_from as passed_at,
        desire_until as back_at,
        interest_until as lost_at,
        highest_stage,
        case
            when interest_from = informed_from then 'download or form'
            else 'product view or search'
        end as evidence
    from spans
    union all
    select
        contact_id,
        'desire' as stage,
        3 as stage_rank,
        desire_from as reached_at,
        action_from as passed_at,
        action_until as back_at,
        desire_until as lost_at,
        highest_stage,
        'cart' as evidence
    from spans
    union all
    select
        contact_id,
        'action' as stage,
        4 as stage_rank,
        action_from as reached_at,
        cast(null as timestamp) as passed_at,
        cast(null as timestamp) as back_at,
        action_until as lost_at,
        highest_stage,
        'order' as evidence
    from spans
),

stays as (
    -- Up, until the next stage is reached, or else until the evidence has lapsed ...
    select
        contact_id,
        stage,
        stage_rank,
        reached_at as entered_at,
        coalesce(passed_at, lost_at) as left_at,
        highest_stage,
        evidence
    from steps
    where reached_at < coalesce(passed_at, lost_at)
    union all
    -- ... and down again, when that of the stage above has lapsed.
    select
        contact_id,
        stage,
        stage_rank,
        back_at as entered_at,
        lost_at as left_at,
        highest_stage,
        'lapsed' as evidence
    from steps
    where back_at < lost_at
)

select
    contact_id,
    stage,
    cast(stage_rank as bigint) as stage_rank,
    entered_at,
    case when left_at < {{ as_of }} then left_at end as left_at,
    highest_stage,
    evidence
from stays
where entered_at < {{ as_of }}
