-- A lead is ready for sales: budget, authority, need and time frame fit, and sales has not got it
-- yet. Who was handed over in the last half year is not handed over again.
-- owner: sales
-- grain: contact_id, occurrence_id
{% set flow = "flow_lead_handover" %}
{% set not_again_within_days = 180 %}
with ready as (
    select * from segments.sales_ready
),

stages as (
    select * from lifecycle.stage
    where stage not in ('sql', 'opportunity')
),

bant as (
    select * from scores.bant
    where last_said_at is not null
),

contacts as (
    select
        contact_id,
        company_name,
        job_title,
        owner_id
    from core.contacts
    where not is_archived
),

lead_score as (
    select
        contact_id,
        score,
        grade
    from scores.lead_score
),

personas as (
    select
        contact_id,
        persona
    from lifecycle.persona
),

sources as (
    select
        contact_id,
        source,
        campaign
    from core.attribution_sources
),

owners as (
    select owner_id from staging.crm_owners
    where not is_archived
),

handed_over as (
    select contact_id
    from core.messages
    where
        flow = '{{ flow }}'
        and DAYS_BETWEEN(planned_as_of, {{ as_of }}) <= {{ not_again_within_days }}
),

qualified as (
    select
        ready.contact_id,
        contacts.company_name,
        contacts.job_title,
        contacts.owner_id,
        stages.stage
    from ready
    inner join stages on ready.contact_id = stages.contact_id
    inner join contacts on ready.contact_id = contacts.contact_id
    where not exists (
        select 1 from handed_over
        where handed_over.contact_id = ready.contact_id
    )
),

drawn as (
    -- Each lead draws its owner, always the same; a new colleague takes a fair share from all.
    select
        qualified.contact_id,
        owners.owner_id,
        row_number() over (
            partition by qualified.contact_id
            order by md5(owners.owner_id || ' ' || qualified.contact_id) asc, owners.owner_id asc
        ) as place
    from qualified
    cross join owners
)

select
    qualified.contact_id,
    cast(cast(bant.last_said_at as date) as varchar) as occurrence_id,
    bant.last_said_at as occurred_at,
    coalesce(qualified.owner_id, drawn.owner_id) as owner_id,
    qualified.company_name,
    qualified.job_title,
    qualified.stage,
    cast(floor(bant.score) as bigint) as bant_score,
    bant.budget,
    bant.authority,
    bant.need,
    bant.timeframe,
    cast(floor(lead_score.score) as bigint) as lead_score,
    lead_score.grade,
    personas.persona,
    sources.source,
    sources.campaign
from qualified
inner join bant on qualified.contact_id = bant.contact_id
left join lead_score on qualified.contact_id = lead_score.contact_id
left join personas on qualified.contact_id = personas.contact_id
left join sources on qualified.contact_id = sources.contact_id
left join drawn on qualified.contact_id = drawn.contact_id and drawn.place = 1
