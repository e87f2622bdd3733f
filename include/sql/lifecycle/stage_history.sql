-- The stage of each contact over time: at every moment the furthest one for which a fact holds.
-- owner: crm
-- grain: contact_id, entered_at
-- answers: Which stage was this contact in on a given day? How long did it stay?
with evidence as (
    select * from lifecycle.stage_evidence
),

turns as (
    -- The only moments at which a stage can change.
    select
        contact_id,
        entered_at as turned_at
    from evidence
    union
    select
        contact_id,
        left_at as turned_at
    from evidence
    where cast(left_at as date) <= cast({{ as_of }} as date)
),

states as (
    select
        turns.contact_id,
        turns.turned_at,
        max(evidence.stage_rank) as stage_rank
    from turns
    inner join evidence
        on
            turns.contact_id = evidence.contact_id
            and turns.turned_at >= evidence.entered_at
            and (turns.turned_at < evidence.left_at or evidence.left_at is null)
    group by turns.contact_id, turns.turned_at
),

compared as (
    select
        contact_id,
        turned_at,
        stage_rank,
        lag(stage_rank) over (partition by contact_id order by turned_at) as previous_rank,
        max(stage_rank) over (
            partition by contact_id
            order by turned_at
            rows between unbounded preceding and 1 preceding
        ) as highest_before
    from states
),

changes as (
    select
        contact_id,
        stage_rank,
        turned_at as entered_at,
        highest_before is null or stage_rank > highest_before as is_first,
        lead(turned_at) over (partition by contact_id order by turned_at) as left_at
    from compared
    where previous_rank is null or stage_rank <> previous_rank
)

select
    contact_id,
    case stage_rank
        when 0 then 'other'
        when 1 then 'subscriber'
        when 2 then 'lead'
        when 3 then 'mql'
        when 4 then 'sql'
        when 5 then 'opportunity'
        when 6 then 'customer'
        else 'evangelist'
    end as stage,
    stage_rank,
    entered_at,
    left_at,
    -- Whether the contact stands here or higher for the first time.
    is_first
from changes
