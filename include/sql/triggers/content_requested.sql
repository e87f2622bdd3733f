-- A person who does not get marketing mail asked for something to read or to download: the address
-- has to be confirmed before it is sent. However much was asked for on one day, it is one question.
-- owner: content
-- grain: contact_id, occurrence_id
{% set look_back_days = 30 %}
with requests as (
    select
        contact_id,
        content_id,
        occurred_at,
        cast(occurred_at as date) as day,
        touchpoint_id
    from core.site_touchpoints
    where
        type = 'form_submit'
        and contact_id is not null
        and DAYS_BETWEEN(occurred_at, {{ as_of }}) <= {{ look_back_days }}
),

contents as (
    select * from seeds.contents
),

subscriptions as (
    select * from core.subscriptions
),

ranked as (
    select
        requests.contact_id,
        requests.day,
        requests.occurred_at,
        contents.title,
        row_number() over (
            partition by requests.contact_id, requests.day
            order by requests.occurred_at asc, requests.touchpoint_id asc
        ) as place
    from requests
    inner join contents on requests.content_id = contents.content_id
    where not exists (
        select 1 from subscriptions
        where
            subscriptions.contact_id = requests.contact_id
            and subscriptions.started_at <= requests.occurred_at
            and (subscriptions.ended_at is null or subscriptions.ended_at > requests.occurred_at)
    )
)

select
    contact_id,
    cast(day as varchar) as occurrence_id,
    occurred_at,
    title as content_title
from ranked
where place = 1
