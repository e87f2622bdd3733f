-- AICA: attention, interest, conviction, action; AIDA for those who are won by reasons.
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
        least(interested_from, wanting_from, informed_from, buyer_from) as interest_from,
        greatest(interested_until, wanting_until, informed_until, buyer_until) as interest_until,
        least(wanting_from, informed_from, buyer_from) as conviction_from,
        greatest(wanting_until, informed_until, buyer_until) as conviction_until,
        buyer_from as action_from,
        buyer_until as action_until,
        wanting_from,
        case
            when buyer_from is not null then 'action'
            when coalesce(wanting_from, informed_from) is not null then 'conviction'
            when interested_from is not null then 'interest'
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
        conviction_from as passed_at,
        conviction_until as back_at,
        interest_until as lost_at,
        highest_stage,
        'product view or search' as evidence
    from spans
    union all
    select
        contact_id,
        'conviction' as stage,
        3 as stage_rank,
        conviction_from as reached_at,
        action_from as passed_at,
        action_until as back_at,
        conviction_until as lost_at,
        highest_stage,
        case
            when conviction_from = wanting_from then 'cart'
            else 'download or form'
        end as evidence
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
