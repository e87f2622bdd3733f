-- What each contact answered in forms and surveys: the latest answer to each question.
-- answers: What did this contact tell us?
-- owner: crm
-- grain: contact_id, question
with answers as (
    select
        *,
        row_number() over (
            partition by contact_id, question
            order by answered_at desc, position desc, event_id asc
        ) as place
    from core.form_answers
)

select
    contact_id,
    question,
    answer,
    answered_at
from answers
where place = 1
