-- A person asked for something to read or to download and has agreed to get mail, before or after:
-- once a content and day. With what else there is on that topic, unread and in that language.
-- owner: content
-- grain: contact_id, occurrence_id
{% set look_back_days = 30 %}
with requests as (
    select
        contact_id,
        content_id,
        cast(occurred_at as date) as day,
        min(occurred_at) as requested_at
    from core.site_touchpoints
    where
        type = 'form_submit'
        and DAYS_BETWEEN(occurred_at, {{ as_of }}) <= {{ look_back_days }}
    group by contact_id, content_id, cast(occurred_at as date)
),

permissions as (
    select * from core.permissions
    where channel = 'email' and topic = 'marketing'
),

contents as (
    select * from seeds.contents
    where published_on <= cast({{ as_of }} as date)
),

contents_read as (
    select * from lifecycle.contents_read
),

downloads as (
    select
        contact_id,
        content_id,
        occurred_at
    from core.site_touchpoints
    where
        type = 'content_download'
        and DAYS_BETWEEN(occurred_at, {{ as_of }}) <= {{ look_back_days }}
),

unlocked as (
    select
        requests.contact_id,
        requests.content_id,
        requests.day,
        requests.requested_at,
        case
            when permissions.granted_at > requests.requested_at then permissions.granted_at
            else requests.requested_at
        end as occurred_at,
        contents.title,
        contents.url,
        contents.topic,
        contents.language
    from requests
    inner join permissions on requests.contact_id = permissions.contact_id
    inner join contents on requests.content_id = contents.content_id
),

others as (
    select
        unlocked.contact_id,
        unlocked.content_id,
        unlocked.day,
        contents.title,
        contents.url,
        row_number() over (
            partition by unlocked.contact_id, unlocked.content_id, unlocked.day
            order by contents.published_on desc, contents.content_id asc
        ) as place
    from unlocked
    inner join contents
        on
            unlocked.topic = contents.topic
            and unlocked.language = contents.language
            and unlocked.content_id <> contents.content_id
    where not exists (
        select 1 from contents_read
        where
            contents_read.contact_id = unlocked.contact_id
            and contents_read.content_id = contents.content_id
    )
),

next_two as (
    select
        contact_id,
        content_id,
        day,
        max(case when place = 1 then title end) as next_title,
        max(case when place = 1 then url end) as next_url,
        max(case when place = 2 then title end) as later_title,
        max(case when place = 2 then url end) as later_url
    from others
    where place <= 2
    group by contact_id, content_id, day
),

downloaded as (
    select
        unlocked.contact_id,
        unlocked.content_id,
        unlocked.day,
        min(downloads.occurred_at) as downloaded_at
    from unlocked
    inner join downloads
        on
            unlocked.contact_id = downloads.contact_id
            and unlocked.content_id = downloads.content_id
            and unlocked.requested_at <= downloads.occurred_at
    group by unlocked.contact_id, unlocked.content_id, unlocked.day
)

select
    unlocked.contact_id,
    unlocked.content_id || ' ' || cast(unlocked.day as varchar) as occurrence_id,
    unlocked.occurred_at,
    unlocked.title as content_title,
    unlocked.url as content_url,
    unlocked.topic,
    downloaded.downloaded_at,
    next_two.next_title,
    next_two.next_url,
    next_two.later_title,
    next_two.later_url
from unlocked
left join next_two
    on
        unlocked.contact_id = next_two.contact_id
        and unlocked.content_id = next_two.content_id
        and unlocked.day = next_two.day
left join downloaded
    on
        unlocked.contact_id = downloaded.contact_id
        and unlocked.content_id = downloaded.content_id
        and unlocked.day = downloaded.day
