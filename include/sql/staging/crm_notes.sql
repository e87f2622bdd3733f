-- CRM notes, which log talks and form submissions: the latest version of each.
-- owner: sales
-- grain: note_id
with versions as (
    select
        *,
        row_number() over (
            partition by note_id order by updated_at desc, _run desc, _line desc
        ) as recency
    from raw.crm_notes
)

select
    note_id,
    created_at,
    updated_at,
    coalesce(is_archived, false) as is_archived,
    coalesce(noted_at, created_at) as noted_at,
    body,
    nullif(owner_id, '') as owner_id,
    _run,
    _line
from versions
where recency = 1
