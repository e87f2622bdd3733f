-- Clicks of people on each image, button and text of a mail, with its place in the mail. A slot
-- is the link's name in the template; links without one are listed by their place.
-- answers: Which image or button of a mail is clicked? Does its place matter?
-- owner: crm
-- grain: flow, step, variant, slot
with clicks as (
    select
        touchpoint_id,
        message_key,
        coalesce(url, '') as url
    from core.touchpoints
    where channel = 'mail' and type = 'click' and not is_machine
),

places as (
    select
        'mail-' || event_id as touchpoint_id,
        url_index
    from staging.mail_events
    where event_type = 'click'
),

messages as (
    select
        message_key,
        flow,
        step,
        variant
    from core.message_outcomes
    where clicked_at is not null
),

funnel as (
    select
        flow,
        step,
        variant,
        delivered
    from reports.message_funnel
    where level = 'variant'
),

slots as (
    select
        messages.flow,
        messages.step,
        messages.variant,
        clicks.message_key,
        places.url_index,
        -- Every link ends with utm_content=<step>.<slot>.
        split_part(
            split_part(
                split_part(split_part(clicks.url, 'utm_content=', 2), '&', 1), '#', 1
            ),
            '.',
            2
        ) as slot
    from clicks
    inner join messages on clicks.message_key = messages.message_key
    left join places on clicks.touchpoint_id = places.touchpoint_id
),

named as (
    select
        flow,
        step,
        variant,
        message_key,
        url_index,
        case
            when slot <> '' then slot
            else 'link ' || coalesce(cast(url_index + 1 as varchar), 'unknown')
        end as slot
    from slots
),

counted as (
    select
        flow,
        step,
        variant,
        slot,
        min(url_index) + 1 as position,
        count(*) as clicks,
        count(distinct message_key) as clicked
    from named
    group by flow, step, variant, slot
)

select
    counted.flow,
    counted.step,
    counted.variant,
    counted.slot,
    case
        when counted.slot like 'img%' or counted.slot like 'item%img%' then 'image'
        when counted.slot like 'btn%' or counted.slot like 'item%btn%' then 'button'
        when counted.slot like 'txt%' or counted.slot like 'item%txt%' then 'text'
        else 'named'
    end as kind,
    cast(counted.position as bigint) as position,
    cast(counted.clicks as bigint) as clicks,
    cast(counted.clicked as bigint) as clicked,
    funnel.delivered,
    cast(RATIO(counted.clicked, funnel.delivered) as decimal(18, 6)) as click_rate,
    cast(
        RATIO(
            counted.clicks,
            sum(counted.clicks) over (
                partition by counted.flow, counted.step, counted.variant
            )
        ) as decimal(18, 6)
    ) as share_of_clicks
from counted
left join funnel
    on
        counted.flow = funnel.flow
        and counted.step = funnel.step
        and counted.variant = funnel.variant
