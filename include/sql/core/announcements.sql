-- New stores, events and releases that people are told of, from the moment they may be known.
-- answers: What is new, where, and for whom?
-- owner: crm
-- grain: announcement_id
with announcements as (
    select * from staging.announcements
    where kind in ('store', 'event', 'release')
)

select
    announcement_id,
    kind,
    title,
    description,
    starts_at,
    announced_at,
    city,
    country,
    zip_prefix,
    product_type,
    url,
    image_url
from announcements
where announced_at < {{ as_of }}
