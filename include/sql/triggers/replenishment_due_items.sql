-- What is still to be bought of an occurrence of triggers.replenishment_due, what runs out first
-- first.
-- owner: crm
-- grain: contact_id, occurrence_id, position
{% set asked_for_days = 30 %}
with running_out as (
    select * from scores.running_out
    where
        bought_again_at is null
        and DAYS_BETWEEN(remind_at, {{ as_of }}) between 0 and {{ asked_for_days }}
),

products as (
    select * from core.products
)

select
    running_out.contact_id,
    cast(running_out.week as varchar) as occurrence_id,
    cast(
        row_number() over (
            partition by running_out.contact_id, running_out.week
            order by running_out.due_on, running_out.product_id
        ) as bigint
    ) as position,
    running_out.product_id,
    products.title,
    products.image_url,
    products.url,
    products.unit_amount,
    running_out.bought_on,
    running_out.due_on,
    running_out.basis
from running_out
inner join products on running_out.product_id = products.product_id
