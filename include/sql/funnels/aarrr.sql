-- AARRR, the pirate metrics (McClure, 2007): acquisition, activation, retention, referral, revenue.
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
        least(known_from, active_from) as acquisition_from,
        timestamp '{{ forever }}' as acquisition_until,
        least(
            subscribed_from,
            wanting_from,
            informed_from,
            answering_from,
            advocate_from,
            buyer_from
        ) as activation_from,
        greatest(
            subscribed_until,
            wanting_until,
            informed_until,
            answering_until,
            advocate_until,
            buyer_until
        ) as activation_until,
        least(answering_from, advocate_from, buyer_from) as retention_from,
        greatest(answering_until, advocate_until, buyer_until) as retention_until,
        least(advocate_from, buyer_from) as referral_from,
        greatest(advocate_until, buyer_until) as referral_until,
        buyer_from as revenue_from,
        buyer_until as revenue_until,
        known_from,
        subscribed_from,
        wanting_from,
        case
            when buyer_from is not null then 'revenue'
            when advocate_from is not null then 'referral'
            when answering_from is not null then 'retention'
            when
                coalesce(subscribed_from, wanting_from, informed_from) is not null
                then 'activation'
            else 'acquisition'
        end as highest_stage
    from milestones
),

steps as (
    select
        contact_id,
        'acquisition' as stage,
        1 as stage_rank,
        acquisition_from as reached_at,
        activation_from as passed_at,
        activation_until as back_at,
        acquisition_until as lost_at,
        highest_stage,
        case
            when acquisition_from = known_from then 'known'
            else 'visit, open or click'
        end as evidence
    from spans
    union all
    select
        contact_id,
        'activation' as stage,
        2 as stage_rank,
        activation_from as reached_at,
        retention_from as passed_at,
        retention_until as back_at,
        activation_until as lost_at,
        highest_stage,
        case
            when activation_from = subscribed_from then 'consent'
            when activation_from = wanting_from then 'cart'
            else 'download or form'
        end as evidence
    from spans
    union all
    select
        contact_id,
        'retention' as stage,
        3 as stage_rank,
        retention_from as reached_at,
        referral_from as passed_at,
        referral_until as back_at,
        retention_until as lost_at,
        highest_stage,
        'open or click' as evidence
    from spans
    union all
    select
        contact_id,
        'referral' as stage,
        4 as stage_rank,
        referral_from as reached_at,
        revenue_from as passed_at,
        revenue_until as back_at,
        referral_until as lost_at,
        highest_stage,
        'referral' as evidence
    from spans
    union all
    select
        contact_id,
        'revenue' as stage,
        5 as stage_rank,
        revenue_from as reached_at,
        cast(null as timestamp) as passed_at,
        cast(null as timestamp) as back_at,
        revenue_until as lost_at,
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
