-- What marketing wants to tell people, from its files: the latest version of each announcement.
-- owner: crm
-- grain: announcement_id
with versions as (
    select
        *,
        -- People type it: blanks around it make no other one.
        row_number() over (
            partition by trim(announcement_id) order by _run desc, _line desc
        ) as recency
    from raw.announcements
)

select
    trim(announcement_id) as announcement_id,
    lower(trim(kind)) as kind,
    trim(title) as title,
    nullif(trim(description), '') as description,
    starts_at,
    announced_at,
    nullif(trim(city), '') as city,
    nullif(trim(country), '') as country,
    nullif(trim(zip_prefix), '') as zip_prefix,
    nullif(trim(product_type), '') as product_type,
    nullif(trim(url), '') as url,
    nullif(trim(image_url), '') as image_url
from versions
where recency = 1
