-- What each contact has read or downloaded, how often, and when for the first and the last time.
-- owner: content
-- grain: contact_id, content_id
-- answers: What has this person read? Who has read this article?
with touchpoints as (
    select
        contact_id,
        content_id,
        occurred_at
    from core.touchpoints
    where
        contact_id is not null
        and content_id is not null
        and type in ('page_view', 'content_download')
)

select
    contact_id,
    content_id,
    cast(count(*) as bigint) as reads,
    min(occurred_at) as first_read_at,
    max(occurred_at) as last_read_at
from touchpoints
group by contact_id, content_id
