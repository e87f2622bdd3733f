-- What people answered in forms and surveys, each answer of an event once.
-- owner: data
-- grain: event_id, position
with answers as (
    select
        *,
        rank() over (partition by event_id order by _run, _line) as copy
    from raw.site_answers
)

select
    event_id,
    occurred_at,
    _child as position,
    lower(trim(question)) as question,
    trim(answer) as answer
from answers
where copy = 1 and trim(answer) <> ''
