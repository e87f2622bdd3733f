-- A buyer will run out of something in a week (scores.running_out), from some days before it: all
-- that it runs out of in one week is one occurrence, known by the week's Monday.
-- owner: crm
-- grain: contact_id, occurrence_id
{% set asked_for_days = 30 %}
with running_out as (
    select
        contact_id,
        week,
        remind_at,
        count(*) as product_count
    from scores.running_out
    where DAYS_BETWEEN(remind_at, {{ as_of }}) between 0 and {{ asked_for_days }}
    group by contact_id, week, remind_at
),

items as (
    select * from triggers.replenishment_due_items
    where position = 1
)

-- Once everything is bought again nothing is first any more; the journey ends at its goal.
select
    running_out.contact_id,
    cast(running_out.week as varchar) as occurrence_id,
    running_out.remind_at as occurred_at,
    cast(running_out.product_count as bigint) as product_count,
    items.title,
    items.url,
    items.due_on
from running_out
left join items
    on
        running_out.contact_id = items.contact_id
        and cast(running_out.week as varchar) = items.occurrence_id
