-- What people put on their wish list, and when first and last.
-- answers: What does this person wish for?
-- owner: crm
-- grain: contact_id, product_id
with wishes as (
    select
        contact_id,
        product_id,
        occurred_at
    from core.site_touchpoints
    where type = 'wish' and contact_id is not null and product_id is not null
)

select
    contact_id,
    product_id,
    min(occurred_at) as wished_at,
    max(occurred_at) as last_wished_at
from wishes
group by contact_id, product_id
