-- The REAL phases that content is written for: reach, engage, activate, loyalty.
-- owner: crm
-- grain: contact_id, entered_at
{% set forever = "9999-12-31 00:00:00" %}
with milestones as (
    select * from lifecycle.milestones
),

spans as (
    -- Whoever is in a stage has reached those before it, and holds them at least as long.
    select
        contact_id,
        least(known_from, active_from) as reach_from,
        timestamp '{{ forever }}' as reach_until,
        least(
            subscribed_from,
            answering_from,
            interested_from,
            buyer_from,
            wanting_from,
            informed_from,
            advocate_from
        ) as engage_from,
        greatest(
            subscribed_until,
            answering_until,
            interested_until,
            buyer_until,
            wanting_until,
            informed_until,
            advocate_until
        ) as engage_until,
        least(buyer_from, wanting_from, informed_from, advocate_from) as activate_from,
        greatest(buyer_until, wanting_until, informed_until, advocate_until) as activate_until,
        least(advocate_from, regular_from) as loyalty_from,
        greatest(advocate_until, regular_until) as loyalty_until,
        advocate_from,
        answering_from,
        buyer_from,
        known_from,
        subscribed_from,
        wanting_from,
        case
            when coalesce(advocate_from, regular_from) is not null then 'loyalty'
            when coalesce(buyer_from, wanting_from, informed_from) is not null then 'activate'
            when
                coalesce(subscribed_from, answering_from, interested_from) is not null
                then 'engage'
            else 'reach'
        end as highest_stage
    from milestones
),

steps as (
    select
        contact_id,
        'reach' as stage,
        1 as stage_rank,
        reach_from as reached_at,
        engage_from as passed_at,
        engage_until as back_at,
        reach_until as lost_at,
        highest_stage,
        case
            when reach_from = known_from then 'known'
            else 'visit, open or click'
        end as evidence
    from spans
    union all
    select
        contact_id,
        'engage' as stage,
        2 as stage_rank,
        engage_from as reached_at,
        activate_from as passed_at,
        activate_until as back_at,
        engage_until as lost_at,
        highest_stage,
        case
            when engage_from = subscribed_from then 'consent'
            when engage_from = answering_from then 'open or click'
            else 'product view or search'
        end as evidence
    from spans
    union all
    select
        contact_id,
        'activate' as stage,
        3 as stage_rank,
        activate_from as reached_at,
        loyalty_from as passed_at,
        loyalty_until as back_at,
        activate_until as lost_at,
        highest_stage,
        case
            when activate_from = buyer_from then 'order'
            when activate_from = wanting_from then 'cart'
            else 'download or form'
        end as evidence
    from spans
    union all
    select
        contact_id,
        'loyalty' as stage,
        4 as stage_rank,
        loyalty_from as reached_at,
        cast(null as timestamp) as passed_at,
        cast(null as timestamp) as back_at,
        loyalty_until as lost_at,
        highest_stage,
        case
            when loyalty_from = advocate_from then 'referral'
            else 'another order'
        end as evidence
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
