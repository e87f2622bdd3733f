-- People who bought tea in the last year and kept it.
-- owner: crm
-- grain: contact_id
{% set within_days = 365 %}
with order_items as (
    select * from core.order_items
    where is_valid and contact_id is not null and net_quantity > 0
),

products as (
    select * from core.products
    where product_type in ('Black tea', 'Green tea', 'Herbal tea')
)

select distinct order_items.contact_id
from order_items
inner join products on order_items.product_id = products.product_id
where DAYS_BETWEEN(order_items.ordered_at, {{ as_of }}) <= {{ within_days }}
