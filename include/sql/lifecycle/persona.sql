-- The persona of each contact that has one: the CRM's word, else what speaks for it most.
-- owner: content
-- grain: contact_id
-- answers: What kind of person is this, and how do we know? Whom do we write for?
{% set enough_points = 3 %}
{% set points_a_content = 2 %}
with contacts as (
    select * from core.contacts
    where not is_archived
),

personas as (
    select * from seeds.personas
),

signals as (
    select * from seeds.persona_signals
),

contents as (
    select * from seeds.contents
    where persona is not null
),

contents_read as (
    select * from lifecycle.contents_read
),

favourite_types as (
    select * from scores.product_affinity
    where position = 1
),

interests as (
    select * from core.answers
    where question = 'interest'
),

signs as (
    select
        contacts.contact_id,
        signals.persona,
        signals.points,
        'job title ' || signals.value as sign
    from contacts
    inner join signals
        on
            signals.signal = 'job_title'
            and lower(contacts.job_title) like '%' || signals.value || '%'
    union all
    select
        favourite_types.contact_id,
        signals.persona,
        signals.points,
        'product type ' || signals.value as sign
    from favourite_types
    inner join signals
        on signals.signal = 'product_type' and favourite_types.product_type = signals.value
    union all
    select
        interests.contact_id,
        signals.persona,
        signals.points,
        'interest ' || signals.value as sign
    from interests
    inner join signals
        on signals.signal = 'interest' and lower(interests.answer) = signals.value
    union all
    select
        contents_read.contact_id,
        contents.persona,
        {{ points_a_content }} as points,
        'content ' || contents.content_id as sign
    from contents_read
    inner join contents on contents_read.content_id = contents.content_id
),

sums as (
    select
        contact_id,
        persona,
        sum(points) as points,
        string_agg(sign, ', ' order by points desc, sign asc) as evidence
    from signs
    group by contact_id, persona
),

ranked as (
    select
        *,
        row_number() over (partition by contact_id order by points desc, persona asc) as place
    from sums
    where points >= {{ enough_points }}
),

said as (
    -- A word of the CRM's that is not on our list says nothing.
    select
        contacts.contact_id,
        personas.persona
    from contacts
    inner join personas on contacts.persona = personas.persona
)

select
    contacts.contact_id,
    coalesce(said.persona, ranked.persona) as persona,
    case when said.persona is not null then 'crm' else 'signals' end as source,
    case when said.persona is not null then 'crm' else ranked.evidence end as evidence
from contacts
left join said on contacts.contact_id = said.contact_id
left join ranked on contacts.contact_id = ranked.contact_id and ranked.place = 1
where said.persona is not null or ranked.persona is not null
