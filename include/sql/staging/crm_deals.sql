-- CRM deals: the latest version of each, and whether it is open, won or lost.
-- owner: sales
-- grain: deal_id
with versions as (
    select
        *,
        row_number() over (
            partition by deal_id order by updated_at desc, _run desc, _line desc
        ) as recency
    from raw.crm_deals
    where updated_at < {{ as_of }}
)

select
    deal_id,
    created_at,
    updated_at,
    coalesce(is_archived, false) as is_archived,
    nullif(trim(deal_name), '') as deal_name,
    lower(deal_stage) as deal_stage,
    case lower(deal_stage)
        when 'closedwon' then 'won'
        when 'closedlost' then 'lost'
        else 'open'
    end as outcome,
    pipeline,
    amount,
    currency,
    -- On an open deal the CRM's close date is a forecast, and may lie ahead.
    case
        when lower(deal_stage) in ('closedwon', 'closedlost') and closed_at < {{ as_of }}
            then closed_at
        when lower(deal_stage) in ('closedwon', 'closedlost') then updated_at
    end as closed_at,
    nullif(owner_id, '') as owner_id,
    _run,
    _line
from versions
where recency = 1
