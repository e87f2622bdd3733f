-- CRM owners (the sales people): the latest version of each.
-- owner: sales
-- grain: owner_id
with versions as (
    select
        *,
        row_number() over (
            partition by owner_id order by updated_at desc, _run desc, _line desc
        ) as recency
    from raw.crm_owners
)

select
    owner_id,
    updated_at,
    nullif(lower(trim(email)), '') as email,
    nullif(trim(first_name), '') as first_name,
    nullif(trim(last_name), '') as last_name,
    coalesce(is_archived, false) as is_archived
from versions
where recency = 1
