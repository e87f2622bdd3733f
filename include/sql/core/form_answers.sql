-- Everything that known people answered in forms and surveys, and in which.
-- answers: What did this person answer, when and where?
-- owner: crm
-- grain: event_id, position
with answers as (
    select * from staging.site_answers
),

touchpoints as (
    select
        touchpoint_id,
        contact_id,
        coalesce(topic, content_id) as form
    from core.site_touchpoints
    where contact_id is not null
)

select
    touchpoints.contact_id,
    answers.event_id,
    answers.position,
    answers.occurred_at as answered_at,
    touchpoints.form,
    answers.question,
    answers.answer
from answers
inner join touchpoints on 'site-' || answers.event_id = touchpoints.touchpoint_id
