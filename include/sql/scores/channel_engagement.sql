-- What each contact did on each channel and how lately, 0 to 100, beside what we sent. What
-- machines opened and clicked stands apart; the visits of one day count once.
-- answers: What does each contact do on each channel? Which channel reaches whom?
-- owner: crm
-- grain: contact_id, channel
{% set points_30d = 10 %}
{% set points_90d = 5 %}
{% set points_180d = 2 %}
with mails as (
    select
        contact_id,
        occurred_at,
        DAYS_BETWEEN(occurred_at, {{ as_of }}) as age_days,
        -- What another tool sent is known only by its delivery.
        type = 'sent' or (type = 'delivered' and flow is null) as is_sent,
        type = 'open' and not is_machine as is_open,
        type = 'click' and not is_machine as is_click,
        type = 'open' and is_machine as is_machine_open,
        type = 'click' and is_machine as is_machine_click
    from core.touchpoints
    where contact_id is not null and channel = 'mail'
),

visits as (
    -- On the site and in the CRM every touch is one by the person; elsewhere we begin.
    select
        contact_id,
        channel,
        DAYS_BETWEEN(cast(occurred_at as date), {{ as_of }}) as age_days,
        max(occurred_at) as last_at
    from core.touchpoints
    where
        contact_id is not null
        and (channel in ('site', 'crm') or (channel <> 'mail' and type = 'click'))
    group by contact_id, channel, cast(occurred_at as date)
),

orders as (
    select
        contact_id,
        ordered_at,
        DAYS_BETWEEN(ordered_at, {{ as_of }}) as age_days
    from core.orders
    where is_valid and contact_id is not null
),

by_mail as (
    select
        contact_id,
        count(case when is_sent and age_days <= 30 then 1 end) as sent_30d,
        count(case when is_sent and age_days <= 90 then 1 end) as sent_90d,
        count(case when is_sent and age_days <= 180 then 1 end) as sent_180d,
        count(case when is_sent then 1 end) as sent,
        count(case when is_open and age_days <= 30 then 1 end) as opens_30d,
        count(case when is_open and age_days <= 90 then 1 end) as opens_90d,
        count(case when is_open and age_days <= 180 then 1 end) as opens_180d,
        count(case when is_open then 1 end) as opens,
        count(case when is_click and age_days <= 30 then 1 end) as clicks_30d,
        count(case when is_click and age_days <= 90 then 1 end) as clicks_90d,
        count(case when is_click and age_days <= 180 then 1 end) as clicks_180d,
        count(case when is_click then 1 end) as clicks,
        count(case when is_machine_open and age_days <= 90 then 1 end) as machine_opens_90d,
        count(case when is_machine_click and age_days <= 90 then 1 end) as machine_clicks_90d,
        min(case when is_sent then occurred_at end) as first_sent_at,
        max(case when is_sent then occurred_at end) as last_sent_at,
        max(case when is_open then occurred_at end) as last_open_at,
        max(case when is_click then occurred_at end) as last_click_at
    from mails
    group by contact_id
),

by_visit as (
    select
        contact_id,
        channel,
        count(case when age_days <= 30 then 1 end) as actions_30d,
        count(case when age_days <= 90 then 1 end) as actions_90d,
        count(case when age_days <= 180 then 1 end) as actions_180d,
        count(*) as actions,
        max(last_at) as last_action_at
    from visits
    group by contact_id, channel
    union all
    select
        contact_id,
        'shop' as channel,
        count(case when age_days <= 30 then 1 end) as actions_30d,
        count(case when age_days <= 90 then 1 end) as actions_90d,
        count(case when age_days <= 180 then 1 end) as actions_180d,
        count(*) as actions,
        max(ordered_at) as last_action_at
    from orders
    group by contact_id
),

summed as (
    select
        contact_id,
        'mail' as channel,
        opens_30d + clicks_30d as actions_30d,
        opens_90d + clicks_90d as actions_90d,
        opens_180d + clicks_180d as actions_180d,
        opens + clicks as actions,
        sent_30d,
        sent_90d,
        sent_180d,
        sent,
        opens_30d,
        opens_90d,
        opens_180d,
        opens,
        clicks_30d,
        clicks_90d,
        clicks_180d,
        clicks,
        machine_opens_90d,
        machine_clicks_90d,
        first_sent_at,
        last_sent_at,
        last_open_at,
        last_click_at,
        greatest(last_open_at, last_click_at) as last_action_at
    from by_mail
    union all
    select
        contact_id,
        channel,
        actions_30d,
        actions_90d,
        actions_180d,
        actions,
        0 as sent_30d,
        0 as sent_90d,
        0 as sent_180d,
        0 as sent,
        0 as opens_30d,
        0 as opens_90d,
        0 as opens_180d,
        0 as opens,
        0 as clicks_30d,
        0 as clicks_90d,
        0 as clicks_180d,
        0 as clicks,
        0 as machine_opens_90d,
        0 as machine_clicks_90d,
        cast(null as timestamp) as first_sent_at,
        cast(null as timestamp) as last_sent_at,
        cast(null as timestamp) as last_open_at,
        cast(null as timestamp) as last_click_at,
        last_action_at
    from by_visit
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
