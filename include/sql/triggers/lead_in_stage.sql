-- A contact became a lead, or marketing qualified, for the first time. With the three contents that
-- fit its phase and persona, and the one thing that it is best asked next, in its language.
-- owner: sales
-- grain: contact_id, occurrence_id
{% set look_back_days = 180 %}
with stages as (
    select * from lifecycle.stage_history
    where
        stage in ('lead', 'mql')
        and is_first
        and DAYS_BETWEEN(entered_at, {{ as_of }}) <= {{ look_back_days }}
),

contacts as (
    select
        contact_id,
        language
    from core.contacts
    where not is_archived
),

personas as (
    select
        contact_id,
        persona
    from lifecycle.persona
),

bant as (
    select
        contact_id,
        next_gap
    from scores.bant
),

profiles as (
    select
        contact_id,
        next_question
    from scores.profile_completeness
),

questions as (
    select * from seeds.profile_questions
),

contents as (
    select
        contact_id,
        max(case when position = 1 then title end) as first_title,
        max(case when position = 1 then url end) as first_url,
        max(case when position = 2 then title end) as second_title,
        max(case when position = 2 then url end) as second_url,
        max(case when position = 3 then title end) as third_title,
        max(case when position = 3 then url end) as third_url
    from audiences.next_content
    group by contact_id
),

asked as (
    select
        stages.contact_id,
        stages.stage,
        stages.entered_at,
        contacts.language,
        -- What sales has to know comes before what is nice to know.
        coalesce(bant.next_gap, profiles.next_question) as question
    from stages
    inner join contacts on stages.contact_id = contacts.contact_id
    left join bant on stages.contact_id = bant.contact_id
    left join profiles on stages.contact_id = profiles.contact_id
)

select
    asked.contact_id,
    -- Not the day: what becomes known later can move it, and nobody is nurtured twice.
    asked.stage as occurrence_id,
    asked.entered_at as occurred_at,
    asked.stage,
    personas.persona,
    contents.first_title,
    contents.first_url,
    contents.second_title,
    contents.second_url,
    contents.third_title,
    contents.third_url,
    questions.question,
    questions.text as question_text,
    questions.reason as question_reason,
    questions.url as question_url
from asked
left join personas on asked.contact_id = personas.contact_id
left join contents on asked.contact_id = contents.contact_id
left join questions
    on asked.question = questions.question and asked.language = questions.language
