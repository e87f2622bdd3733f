-- What each contact did on each channel and how lately, 0 to 100, beside what we sent. What
-- machines opened and clicked stands apart; the visits of one day count once.
-- answers: What does each contact do on each channel? Which channel reaches whom?
-- owner: crm
-- grain: contact_id, channel
{% set points_30d = 10 %}
{% set points_90d = 5 %}
{% set points_180d = 2 %}
with touchpoints as (
    select
        contact_id,
        channel,
        type,
        is_machine,
        occurred_at
    from core.touchpoints
    where contact_id is not null
),

orders as (
    select
        contact_id,
        ordered_at
    from core.orders
    where is_valid and contact_id is not null
),

daily_touches as (
    select
        contact_id,
        channel,
        cast(occurred_at as date) as day,
        sum(case when type = 'sent' then 1 else 0 end) as sent,
        sum(case when type = 'open' and not is_machine then 1 else 0 end) as opens,
        sum(case when type = 'click' and not is_machine then 1 else 0 end) as clicks,
        sum(case when type = 'open' and is_machine then 1 else 0 end) as machine_opens,
        sum(case when type = 'click' and is_machine then 1 else 0 end) as machine_clicks,
        min(case when type = 'sent' then occurred_at end) as first_sent_at,
        max(case when type = 'sent' then occurred_at end) as last_sent_at,
        max(case when type = 'open' and not is_machine then occurred_at end) as last_open_at,
        max(case when type = 'click' and not is_machine then occurred_at end) as last_click_at,
        max(occurred_at) as last_at
    from touchpoints
    group by contact_id, channel, cast(occurred_at as date)
),

days as (
    select
        contact_id,
        channel,
        day,
        sent,
        opens,
        clicks,
        machine_opens,
        machine_clicks,
        first_sent_at,
        last_sent_at,
        last_open_at,
        last_click_at,
        -- On the site and in the CRM every touch is one by the person.
        case when channel = 'mail' then opens + clicks else 1 end as actions,
        case
            when channel = 'mail' then greatest(last_open_at, last_click_at)
            else last_at
        end as last_action_at
    from daily_touches
    union all
    select
        contact_id,
        'shop' as channel,
        cast(ordered_at as date) as day,
        0 as sent,
        0 as opens,
        0 as clicks,
        0 as machine_opens,
        0 as machine_clicks,
        cast(null as timestamp) as first_sent_at,
        cast(null as timestamp) as last_sent_at,
        cast(null as timestamp) as last_open_at,
        cast(null as timestamp) as last_click_at,
        1 as actions,
        ordered_at as last_action_at
    from orders
),

aged as (
    select
        *,
        DAYS_BETWEEN(day, {{ as_of }}) as age_days
    from days
),

summed as (
    select
        contact_id,
        channel,
        sum(case when age_days <= 30 then actions else 0 end) as actions_30d,
        sum(case when age_days <= 90 then actions else 0 end) as actions_90d,
        sum(case when age_days <= 180 then actions else 0 end) as actions_180d,
        sum(actions) as actions,
        sum(case when age_days <= 30 then sent else 0 end) as sent_30d,
        sum(case when age_days <= 90 then sent else 0 end) as sent_90d,
        sum(case when age_days <= 180 then sent else 0 end) as sent_180d,
        sum(sent) as sent,
        sum(case when age_days <= 30 then opens else 0 end) as opens_30d,
        sum(case when age_days <= 90 then opens else 0 end) as opens_90d,
        sum(case when age_days <= 180 then opens else 0 end) as opens_180d,
        sum(opens) as opens,
        sum(case when age_days <= 30 then clicks else 0 end) as clicks_30d,
        sum(case when age_days <= 90 then clicks else 0 end) as clicks_90d,
        sum(case when age_days <= 180 then clicks else 0 end) as clicks_180d,
        sum(clicks) as clicks,
        sum(case when age_days <= 90 then machine_opens else 0 end) as machine_opens_90d,
        sum(case when age_days <= 90 then machine_clicks else 0 end) as machine_clicks_90d,
        min(first_sent_at) as first_sent_at,
        max(last_sent_at) as last_sent_at,
        max(last_open_at) as last_open_at,
        max(last_click_at) as last_click_at,
        max(last_action_at) as last_action_at
    from aged
    group by contact_id, channel
)

select
    contact_id,
    channel,
    cast(
        least(
            {{ points_30d }} * actions_30d
            + {{ points_90d }} * (actions_90d - actions_30d)
            + {{ points_180d }} * (actions_180d - actions_90d),
            100
        ) as decimal(18, 6)
    ) as score,
    cast(actions_30d as bigint) as actions_30d,
    cast(actions_90d as bigint) as actions_90d,
    cast(actions_180d as bigint) as actions_180d,
    cast(actions as bigint) as actions,
    cast(sent_30d as bigint) as sent_30d,
    cast(sent_90d as bigint) as sent_90d,
    cast(sent_180d as bigint) as sent_180d,
    cast(sent as bigint) as sent,
    cast(opens_30d as bigint) as opens_30d,
    cast(opens_90d as bigint) as opens_90d,
    cast(opens_180d as bigint) as opens_180d,
    cast(opens as bigint) as opens,
    cast(clicks_30d as bigint) as clicks_30d,
    cast(clicks_90d as bigint) as clicks_90d,
    cast(clicks_180d as bigint) as clicks_180d,
    cast(clicks as bigint) as clicks,
    cast(machine_opens_90d as bigint) as machine_opens_90d,
    cast(machine_clicks_90d as bigint) as machine_clicks_90d,
    first_sent_at,
    last_sent_at,
    last_open_at,
    last_click_at,
    last_action_at
from summed
