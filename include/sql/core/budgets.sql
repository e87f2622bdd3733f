-- Budgets that people stated in forms, as numbers. What is no plain number is not guessed at.
-- answers: Who stated a budget, when and how large?
-- owner: sales
-- grain: event_id
{% set number = "^[0-9]{1,12}([.][0-9]{1,2})?$" %}
with answers as (
    select
        contact_id,
        event_id,
        answered_at,
        position,
        answer
    from core.form_answers
    where question = 'budget' and answer ~ '{{ number }}'
),

ranked as (
    -- Asked twice in a form, the last answer counts.
    select
        *,
        row_number() over (partition by event_id order by position desc) as place
    from answers
)

select
    contact_id,
    event_id,
    answered_at as stated_at,
    cast(answer as decimal(18, 2)) as amount
from ranked
where place = 1
