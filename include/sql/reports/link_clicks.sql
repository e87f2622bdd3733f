-- Clicks of people on each image, button and text of a mail, with its place in the mail; those that
-- nobody clicked too. A link without a slot is listed by its place.
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

links as (
    select
        flow,
        step,
        coalesce(variant, '') as variant,
        slot,
        kind,
        label
    from staging.ledger_links
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

facts as (
    select
        flow,
        step,
        variant,
        case
            when slot <> '' then slot
            else 'link ' || coalesce(cast(url_index + 1 as varchar), 'unknown')
        end as slot,
        message_key,
        url_index + 1 as position,
        cast(null as varchar) as kind,
        cast(null as varchar) as label
    from slots
    union all
    select
        flow,
        step,
        variant,
        slot,
        cast(null as varchar) as message_key,
        cast(null as bigint) as position,
        kind,
        label
    from links
),

counted as (
    select
        flow,
        step,
        variant,
        slot,
        -- Languages and versions differ in their words; one of them tells which link it is.
        min(kind) as kind,
        min(label) as label,
        min(position) as position,
        count(message_key) as clicks,
        count(distinct message_key) as clicked
    from facts
    group by flow, step, variant, slot
)

select
    counted.flow,
    counted.step,
    counted.variant,
    counted.slot,
    counted.kind,
    counted.label,
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
