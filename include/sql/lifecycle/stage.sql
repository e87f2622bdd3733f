-- Where each contact stands in the funnel now, and the furthest it ever came.
-- owner: crm
-- grain: contact_id
-- answers: Where does this contact stand, and how far did it ever come?
with stage_history as (
    select * from lifecycle.stage_history
),

stage_evidence as (
    select * from lifecycle.stage_evidence
),

current_stages as (
    select * from stage_history
    where left_at is null
),

highest as (
    select
        *,
        row_number() over (
            partition by contact_id order by stage_rank desc, entered_at asc
        ) as place
    from stage_history
),

proofs as (
    select
        contact_id,
        stage_rank,
        min(evidence) as evidence
    from stage_evidence
    where left_at is null or cast(left_at as date) > cast({{ as_of }} as date)
    group by contact_id, stage_rank
)

select
    current_stages.contact_id,
    current_stages.stage,
    current_stages.stage_rank,
    current_stages.entered_at as stage_since,
    proofs.evidence,
    highest.stage as highest_stage,
    highest.entered_at as highest_since
from current_stages
inner join highest
    on current_stages.contact_id = highest.contact_id and highest.place = 1
left join proofs
    on
        current_stages.contact_id = proofs.contact_id
        and current_stages.stage_rank = proofs.stage_rank
