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
    -- On an open deal the close date is a forecast; no deal is closed later than it says so.
    case
        when lower(deal_stage) in ('closedwon', 'closedlost')
            then least(coalesce(closed_at, updated_at), updated_at)
    end as closed_at,
    case
        when lower(deal_stage) not in ('closedwon', 'closedlost') then closed_at
    end as expected_close_at,
    nullif(owner_id, '') as owner_id,
    _run,
    _line
from versions
where recency = 1
