-- Subscribers week by week: who joined, who left and why, and how many there were at its end.
-- answers: Is the list growing? Why do subscribers leave?
-- owner: crm
-- grain: week
with subscriptions as (
    select
        contact_id,
        started_at,
        ended_at,
        row_number() over (partition by contact_id order by started_at) as number
    from core.subscriptions
),

suppressions as (
    select
        contact_id,
        reason,
        created_at
    from core.suppressions
    where channel in ('email', 'all')
),

calendar as (
    select distinct week
    from core.calendar
),

complaints as (
    select
        contact_id,
        min(created_at) as created_at
    from suppressions
    where reason = 'complaint'
    group by contact_id
),

blocks as (
    -- An opt-out or a complaint ends the consent; what else keeps us from writing counts here.
    select
        contact_id,
        reason,
        created_at,
        row_number() over (partition by contact_id order by created_at, reason) as place
    from suppressions
    where reason not in ('opt_out', 'complaint')
),

joined as (
    select
        subscriptions.contact_id,
        subscriptions.number,
        subscriptions.started_at,
        subscriptions.ended_at,
        blocks.reason as blocked_because,
        case
            when blocks.created_at < subscriptions.started_at then subscriptions.started_at
            else blocks.created_at
        end as blocked_at,
        complaints.created_at as complained_at
    from subscriptions
    left join blocks on subscriptions.contact_id = blocks.contact_id and blocks.place = 1
    left join complaints on subscriptions.contact_id = complaints.contact_id
),

blocked as (
    select
        *,
        coalesce(blocked_at < ended_at, blocked_at is not null) as is_blocked
    from joined
),

members as (
    select
        number,
        started_at,
        case when is_blocked then blocked_at else ended_at end as left_at,
        case
            when is_blocked and blocked_because in ('hard_bounce', 'soft_bounce', 'invalid_address')
                then 'bounced'
            when is_blocked then 'cleaned'
            when ended_at = complained_at then 'complained'
            when ended_at is not null then 'opted_out'
        end as left_because
    from blocked
),

arrivals as (
    select
        cast(date_trunc('week', started_at) as date) as week,
        count(case when number = 1 then 1 end) as new_subscribers,
        count(case when number > 1 then 1 end) as returned
    from members
    group by cast(date_trunc('week', started_at) as date)
),

departures as (
    select
        cast(date_trunc('week', left_at) as date) as week,
        count(case when left_because = 'opted_out' then 1 end) as opted_out,
        count(case when left_because = 'complained' then 1 end) as complained,
        count(case when left_because = 'bounced' then 1 end) as bounced,
        count(case when left_because = 'cleaned' then 1 end) as cleaned
    from members
    group by cast(date_trunc('week', left_at) as date)
),

opened as (
    select min(week) as week
    from arrivals
),

weeks as (
    -- A week in which nothing changed is a row too.
    select
        calendar.week,
        coalesce(arrivals.new_subscribers, 0) as new_subscribers,
        coalesce(arrivals.returned, 0) as returned,
        coalesce(departures.opted_out, 0) as opted_out,
        coalesce(departures.complained, 0) as complained,
        coalesce(departures.bounced, 0) as bounced,
        coalesce(departures.cleaned, 0) as cleaned
    from calendar
    inner join opened on calendar.week >= opened.week
    left join arrivals on calendar.week = arrivals.week
    left join departures on calendar.week = departures.week
),

netted as (
    select
        *,
        new_subscribers + returned - opted_out - complained - bounced - cleaned as net_change
    from weeks
),

totalled as (
    select
        *,
        sum(net_change) over (
            order by week asc rows between unbounded preceding and current row
        ) as subscribers
    from netted
)

select
    week,
    cast(new_subscribers as bigint) as new_subscribers,
    cast(returned as bigint) as returned,
    cast(opted_out as bigint) as opted_out,
    cast(complained as bigint) as complained,
    cast(bounced as bigint) as bounced,
    cast(cleaned as bigint) as cleaned,
    cast(net_change as bigint) as net_change,
    cast(subscribers as bigint) as subscribers,
    cast(RATIO(net_change, subscribers - net_change) as decimal(18, 6)) as growth_rate
from totalled
