-- When each contact looked in the last year: its opens, clicks and visits by hour and weekday (1 is
-- Monday) of its own clock. What a machine opened is no look.
-- answers: At what hours does this contact read?
-- owner: crm
-- grain: contact_id, hour, weekday
{% set seen_within = 365 %}
with contacts as (
    select
        contact_id,
        timezone
    from core.contacts
    where not is_archived
),

timezone_offsets as (
    select * from core.timezone_offsets
),

touchpoints as (
    select
        contact_id,
        occurred_at
    from core.touchpoints
    where
        contact_id is not null
        and not is_machine
        and (channel = 'site' or type in ('open', 'click'))
        and DAYS_BETWEEN(occurred_at, {{ as_of }}) <= {{ seen_within }}
),

looks as (
    -- A long visit is one look, not twenty.
    select
        contact_id,
        min(occurred_at) as looked_at
    from touchpoints
    group by contact_id, date_trunc('hour', occurred_at)
),

local_looks as (
    select
        looks.contact_id,
        -- Minutes since a Monday, on the wall clock.
        DAYS_BETWEEN(date '2000-01-03', looks.looked_at) * 1440
        + cast(extract(hour from looks.looked_at) as bigint) * 60
        + cast(extract(minute from looks.looked_at) as bigint)
        + timezone_offsets.offset_minutes as wall_minute
    from looks
    inner join contacts on looks.contact_id = contacts.contact_id
    inner join timezone_offsets
        on
            contacts.timezone = timezone_offsets.timezone
            and looks.looked_at >= timezone_offsets.valid_from
            and looks.looked_at < timezone_offsets.valid_to
),

placed as (
    select
        contact_id,
        cast(floor(RATIO(wall_minute % 1440, 60)) as bigint) as hour,
        cast(floor(RATIO(wall_minute % 10080, 1440)) as bigint) + 1 as weekday
    from local_looks
)

select
    contact_id,
    hour,
    weekday,
    cast(count(*) as bigint) as looks
from placed
group by contact_id, hour, weekday
