-- HubSpot's lifecycle stages: subscriber, lead, MQL, SQL, opportunity, customer, evangelist, other.
-- answers: Where is each contact in the stages of the CRM?
-- owner: crm
-- grain: contact_id, entered_at
with stage_history as (
    select * from lifecycle.stage_history
),

stage_evidence as (
    select * from lifecycle.stage_evidence
),

stages as (
    select * from lifecycle.stage
),

proofs as (
    select
        stage_history.contact_id,
        stage_history.entered_at,
        min(stage_evidence.evidence) as evidence
    from stage_history
    inner join stage_evidence
        on
            stage_history.contact_id = stage_evidence.contact_id
            and stage_history.stage_rank = stage_evidence.stage_rank
    where
        stage_evidence.entered_at <= stage_history.entered_at
        and (
            stage_evidence.left_at is null
            or stage_evidence.left_at > stage_history.entered_at
        )
    group by stage_history.contact_id, stage_history.entered_at
)

select
    stage_history.contact_id,
    stage_history.stage,
    stage_history.stage_rank,
    stage_history.entered_at,
    stage_history.left_at,
    proofs.evidence,
    stage_history.is_first,
    case
        when stage_history.is_first
            then
                lead(stage_history.entered_at) over (
                    partition by stage_history.contact_id, stage_history.is_first
                    order by stage_history.entered_at
                )
    end as passed_at,
    case
        when stage_history.is_first
            then
                lead(stage_history.stage) over (
                    partition by stage_history.contact_id, stage_history.is_first
                    order by stage_history.entered_at
                )
    end as passed_to,
    stages.highest_stage
from stage_history
inner join proofs
    on
        stage_history.contact_id = proofs.contact_id
        and stage_history.entered_at = proofs.entered_at
inner join stages on stage_history.contact_id = stages.contact_id
