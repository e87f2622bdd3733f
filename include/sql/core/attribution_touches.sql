-- What can have moved a person to buy: a mail read by a person, a visit that came from a campaign.
-- owner: crm
-- grain: touchpoint_id
{% set own_mails = "kreislauf" %}
with touchpoints as (
    select
        touchpoint_id,
        contact_id,
        channel,
        type,
        message_key,
        occurred_at
    from core.touchpoints
    where contact_id is not null and not is_machine
),

site_events as (
    select
        event_id,
        utm_campaign,
        lower(trim(coalesce(utm_source, 'unknown'))) as utm_source
    from staging.site_events
    where utm_campaign is not null
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
        'site-' || site_events.event_id as touchpoint_id,
        site_events.utm_campaign as campaign,
        coalesce(ad_campaigns.platform, site_events.utm_source) as platform
    from site_events
    left join ad_campaigns on site_events.utm_campaign = ad_campaigns.campaign
    -- A visit from a mail of ours is known by its click.
    where site_events.utm_source <> '{{ own_mails }}'
),

message_outcomes as (
    select
        message_key,
        campaign,
        delivered_at
    from core.message_outcomes
    where opened_at is not null
)

select
    touchpoints.touchpoint_id,
    touchpoints.contact_id,
    -- All reactions to one message are one touch.
    touchpoints.message_key as touch_id,
    touchpoints.occurred_at as touched_at,
    -- A message can move somebody from its delivery on, not only from the click.
    least(message_outcomes.delivered_at, touchpoints.occurred_at) as received_at,
    touchpoints.type,
    'mail' as channel,
    'mail' as platform,
    message_outcomes.campaign,
    touchpoints.message_key
from touchpoints
inner join message_outcomes on touchpoints.message_key = message_outcomes.message_key
where touchpoints.type in ('open', 'click')
union all
select
    touchpoints.touchpoint_id,
    touchpoints.contact_id,
    -- So are all visits of a day from one campaign.
    visits.platform || ' ' || visits.campaign || ' '
    || cast(cast(touchpoints.occurred_at as date) as varchar) as touch_id,
    touchpoints.occurred_at as touched_at,
    touchpoints.occurred_at as received_at,
    'visit' as type,
    'site' as channel,
    visits.platform,
    visits.campaign,
    cast(null as varchar) as message_key
from touchpoints
inner join visits on touchpoints.touchpoint_id = visits.touchpoint_id
where touchpoints.channel = 'site'
