-- What the mail provider reported, each event once, with hard and soft bounces told apart.
-- owner: crm
-- grain: event_id
with repeated as (
    -- Few events come twice; only those are put in order.
    select event_id from raw.mail_events
    group by event_id
    having count(*) > 1
),

ranked as (
    select
        events.event_id,
        events._run,
        events._line,
        row_number() over (
            partition by events.event_id order by events._run, events._line
        ) as copy
    from raw.mail_events as events
    inner join repeated on events.event_id = repeated.event_id
),

copies as (
    select
        event_id,
        _run,
        _line
    from ranked
    where copy > 1
)

select
    event_id,
    occurred_at,
    -- The provider calls a refusal for now a bounce of the type "blocked".
    case
        when lower(event_type) = 'bounce' and lower(bounce_type) = 'blocked' then 'soft_bounce'
        when lower(event_type) = 'bounce' then 'hard_bounce'
        when lower(event_type) = 'spamreport' then 'complaint'
        when lower(event_type) = 'group_unsubscribe' then 'unsubscribe'
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
from raw.mail_events as events
where not exists (
    select 1 from copies
    where
        copies.event_id = events.event_id
        and copies._run = events._run
        and copies._line = events._line
)
