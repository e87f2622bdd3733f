-- What the mail provider reported, each event once, with hard and soft bounces told apart.
-- owner: crm
-- grain: event_id
with events as (
    select
        *,
        row_number() over (partition by event_id order by _run, _line) as copy
    from raw.mail_events
)

select
    event_id,
    occurred_at,
    -- The provider calls a refusal for now a bounce of the type "blocked".
    case
        when lower(event_type) = 'bounce' and lower(bounce_type) = 'blocked' then 'soft_bounce'
        when lower(event_type) = 'bounce' then 'hard_bounce'
        when lower(event_type) = 'spamreport' then 'complaint'
        when lower(event_type) in ('unsubscribe', 'group_unsubscribe') then 'unsubscribe'
        else lower(event_type)
    end as event_type,
    nullif(lower(trim(email)), '') as email,
    nullif(message_key, '') as message_key,
    nullif(batch_id, '') as batch_id,
    url,
    url_index,
    reason,
    status,
    coalesce(is_machine_open, false) as is_machine_open
from events
where copy = 1
