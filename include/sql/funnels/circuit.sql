-- How far the circuit between us and a person is closed, from known to bringing others.
-- answers: How far is the circuit between us and a person closed?
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
        known_from,
        timestamp '{{ forever }}' as known_until,
        least(subscribed_from, answering_from, buyer_from, advocate_from) as permitted_from,
        greatest(
            subscribed_until, answering_until, buyer_until, advocate_until
        ) as permitted_until,
        least(answering_from, buyer_from, advocate_from) as responsive_from,
        greatest(answering_until, buyer_until, advocate_until) as responsive_until,
        least(buyer_from, advocate_from) as buyer_from,
        greatest(buyer_until, advocate_until) as buyer_until,
        least(regular_from, advocate_from) as regular_from,
        greatest(regular_until, advocate_until) as regular_until,
        advocate_from,
        advocate_until,
        case
            when advocate_from is not null then 'advocate'
            when regular_from is not null then 'regular'
            when buyer_from is not null then 'buyer'
            when answering_from is not null then 'responsive'
            when subscribed_from is not null then 'permitted'
            else 'known'
        end as highest_stage
    from milestones
),

steps as (
    select
        contact_id,
        'known' as stage,
        1 as stage_rank,
        known_from as reached_at,
        permitted_from as passed_at,
        permitted_until as back_at,
        known_until as lost_at,
        highest_stage,
        'known' as evidence
    from spans
    union all
    select
        contact_id,
        'permitted' as stage,
        2 as stage_rank,
        permitted_from as reached_at,
        responsive_from as passed_at,
        responsive_until as back_at,
        permitted_until as lost_at,
        highest_stage,
        'consent' as evidence
    from spans
    union all
    select
        contact_id,
        'responsive' as stage,
        3 as stage_rank,
        responsive_from as reached_at,
        buyer_from as passed_at,
        buyer_until as back_at,
        responsive_until as lost_at,
        highest_stage,
        'open or click' as evidence
    from spans
    union all
    select
        contact_id,
        'buyer' as stage,
        4 as stage_rank,
        buyer_from as reached_at,
        regular_from as passed_at,
        regular_until as back_at,
        buyer_until as lost_at,
        highest_stage,
        'order' as evidence
    from spans
    union all
    select
        contact_id,
        'regular' as stage,
        5 as stage_rank,
        regular_from as reached_at,
        advocate_from as passed_at,
        advocate_until as back_at,
        regular_until as lost_at,
        highest_stage,
        'another order' as evidence
    from spans
    union all
    select
        contact_id,
        'advocate' as stage,
        6 as stage_rank,
        advocate_from as reached_at,
        cast(null as timestamp) as passed_at,
        cast(null as timestamp) as back_at,
        advocate_until as lost_at,
        highest_stage,
        'referral' as evidence
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
