-- Letters that came back: the latest version of each return.
-- owner: data
-- grain: return_id
with versions as (
    select
        *,
        -- People type it: blanks around it make no other one.
        row_number() over (
            partition by trim(return_id) order by _run desc, _line desc
        ) as recency
    from raw.postal_returns
)

select
    trim(return_id) as return_id,
    returned_on,
    nullif(trim(replace(customer_id, 'gid://shopify/Customer/', '')), '') as customer_id,
    lower(nullif(trim(email), '')) as email,
    lower(nullif(trim(reason), '')) as reason
from versions
where recency = 1
