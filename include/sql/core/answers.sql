-- What each contact answered in forms and surveys: the latest answer to each question.
-- answers: What did this contact tell us?
-- owner: crm
-- grain: contact_id, question
with answers as (
    select * from staging.site_answers
),

touchpoints as (
    select
        touchpoint_id,
        contact_id
    from core.site_touchpoints
    where contact_id is not null
),

ranked as (
    select
        touchpoints.contact_id,
        answers.question,
        answers.answer,
        answers.occurred_at,
        row_number() over (
            partition by touchpoints.contact_id, answers.question
            order by answers.occurred_at desc, answers.position desc, answers.event_id asc
        ) as place
    from answers
    inner join touchpoints on 'site-' || answers.event_id = touchpoints.touchpoint_id
)

select
    contact_id,
    question,
    answer,
    occurred_at as answered_at
from ranked
where place = 1
