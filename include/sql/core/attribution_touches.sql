-- What can have moved a person to buy: a mail read by a person, a visit that came from a campaign.
-- owner: crm
-- grain: touchpoint_id
{% set own_mails = "kreislauf" %}
with mail_touchpoints as (
    select
        touchpoint_id,
        contact_id,
        type,
        message_key,
        occurred_at
    from core.mail_touchpoints
    where contact_id is not null and not is_machine and type in ('open', 'click')
),

channel_touchpoints as (
    select
        touchpoint_id,
        contact_id,
        type,
        message_key,
        occurred_at
    from core.channel_touchpoints
    where contact_id is not null and type = 'click'
),

site_touchpoints as (
    select
        touchpoint_id,
        contact_id,
        campaign,
        occurred_at,
        lower(trim(coalesce(utm_source, 'unknown'))) as utm_source
    from core.site_touchpoints
    where contact_id is not null and campaign is not null
),

ad_campaigns as (
    -- A visit may name the site of the ad (instagram); costs come from the platform (meta).
    select
        campaign,
        min(platform) as platform
    from staging.ad_spend
    group by campaign
    having min(platform) = max(platform)
),

visits as (
    select
        site_touchpoints.touchpoint_id,
        site_touchpoints.contact_id,
        site_touchpoints.campaign,
        site_touchpoints.occurred_at,
        coalesce(ad_campaigns.platform, site_touchpoints.utm_source) as platform
    from site_touchpoints
    left join ad_campaigns on site_touchpoints.campaign = ad_campaigns.campaign
    -- A visit from a mail of ours is known by its click.
    where site_touchpoints.utm_source <> '{{ own_mails }}'
),

message_outcomes as (
    select
        message_key,
        channel,
        campaign,
        delivered_at
    from core.message_outcomes
    where opened_at is not null
)

select
    mail_touchpoints.touchpoint_id,
    mail_touchpoints.contact_id,
    -- All reactions to one message are one touch.
    mail_touchpoints.message_key as touch_id,
    mail_touchpoints.occurred_at as touched_at,
    -- A message can move somebody from its delivery on, not only from the click.
    least(message_outcomes.delivered_at, mail_touchpoints.occurred_at) as received_at,
    mail_touchpoints.type,
    'mail' as channel,
    'mail' as platform,
    message_outcomes.campaign,
    mail_touchpoints.message_key
from mail_touchpoints
inner join message_outcomes on mail_touchpoints.message_key = message_outcomes.message_key
union all
select
    channel_touchpoints.touchpoint_id,
    channel_touchpoints.contact_id,
    channel_touchpoints.message_key as touch_id,
    channel_touchpoints.occurred_at as touched_at,
    least(message_outcomes.delivered_at, channel_touchpoints.occurred_at) as received_at,
    channel_touchpoints.type,
    message_outcomes.channel,
    message_outcomes.channel as platform,
    message_outcomes.campaign,
    channel_touchpoints.message_key
from channel_touchpoints
inner join message_outcomes
    on channel_touchpoints.message_key = message_outcomes.message_key
union all
select
    touchpoint_id,
    contact_id,
    -- So are all visits of a day from one campaign.
    platform || ' ' || campaign || ' '
    || cast(cast(occurred_at as date) as varchar) as touch_id,
    occurred_at as touched_at,
    occurred_at as received_at,
    'visit' as type,
    'site' as channel,
    platform,
    campaign,
    cast(null as varchar) as message_key
from visits
