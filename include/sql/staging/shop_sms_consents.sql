-- What each shop customer said about marketing by text (SMS), statement by statement.
-- owner: crm
-- grain: customer_id, stated_at
with versions as (
    select
        customer_id,
        lower(sms_marketing_state) as state,
        lower(sms_marketing_opt_in_level) as opt_in_level,
        -- A record is touched for many reasons; the statement keeps its own moment, if past.
        least(
            coalesce(sms_marketing_updated_at, created_at, updated_at), updated_at
        ) as stated_at,
        updated_at,
        _run,
        _line
    from raw.shop_customers
),

ranked as (
    select
        *,
        row_number() over (
            partition by customer_id, stated_at order by updated_at desc, _run desc, _line desc
        ) as recency
    from versions
    where state in ('subscribed', 'pending', 'unsubscribed')
)

select
    replace(customer_id, 'gid://shopify/Customer/', '') as customer_id,
    stated_at,
    case state
        when 'subscribed' then 'granted'
        when 'pending' then 'pending'
        else 'revoked'
    end as state,
    case
        when state = 'subscribed' and opt_in_level = 'confirmed_opt_in' then 'consent_doi'
        when state = 'subscribed' then 'consent_soi'
    end as basis
from ranked
where recency = 1
