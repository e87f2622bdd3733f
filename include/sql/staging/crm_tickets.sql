-- Service tickets of the CRM: the latest version of each.
-- owner: service
-- grain: ticket_id
with versions as (
    select
        *,
        row_number() over (
            partition by ticket_id order by updated_at desc, _run desc, _line desc
        ) as recency
    from raw.crm_tickets
)

select
    ticket_id,
    created_at,
    updated_at,
    coalesce(is_archived, false) as is_archived,
    nullif(trim(subject), '') as subject,
    lower(nullif(trim(category), '')) as category,
    closed_at,
    nullif(owner_id, '') as owner_id,
    _run,
    _line
from versions
where recency = 1
