-- A person had something of us to judge: sales or service has closed a case, or the first order has
-- been there long enough to be tried. Cases close behind one another are one occurrence.
-- owner: crm
-- grain: contact_id, occurrence_id
{% set tried_after_days = 5 %}
{% set asked_once_in = 30 %}
{% set look_back_days = 90 %}
with cases as (
    select
        ticket_id,
        contact_id,
        subject,
        closed_at
    from core.service_contacts
    where DAYS_BETWEEN(closed_at, {{ as_of }}) <= {{ look_back_days }}
),

deliveries as (
    select * from core.deliveries
    where contact_id is not null and delivered_at is not null
),

order_items as (
    select
        order_id,
        order_item_id,
        title,
        net_amount
    from core.order_items
    where net_quantity > 0 and title is not null
),

compared as (
    select
        *,
        lag(closed_at) over (partition by contact_id order by closed_at, ticket_id)
            as closed_before
    from cases
),

firsts as (
    select
        *,
        row_number() over (partition by contact_id order by delivered_at, order_id) as place
    from deliveries
),

tried as (
    select
        order_id,
        contact_id,
        delivered_at + interval '{{ tried_after_days }} days' as occurred_at
    from firsts
    where
        place = 1
        -- What will have been tried later today is there already; flows ask from that hour on.
        and DAYS_BETWEEN(delivered_at, {{ as_of }})
        between {{ tried_after_days }} and {{ look_back_days }}
),

things as (
    -- The dearest of what was in the parcel.
    select
        tried.contact_id,
        order_items.title,
        row_number() over (
            partition by tried.contact_id
            order by order_items.net_amount desc, order_items.order_item_id asc
        ) as place
    from tried
    inner join order_items on tried.order_id = order_items.order_id
)

select
    contact_id,
    'case-' || ticket_id as occurrence_id,
    closed_at as occurred_at,
    'service' as kind,
    subject as topic,
    -- Stands in the survey's links, so that the answer is known to be about this case.
    'case-' || ticket_id as survey
from compared
where
    closed_before is null
    or DAYS_BETWEEN(closed_before, closed_at) >= {{ asked_once_in }}
union all
select
    tried.contact_id,
    'order-' || tried.order_id as occurrence_id,
    tried.occurred_at,
    'first_use' as kind,
    things.title as topic,
    'order-' || tried.order_id as survey
from tried
left join things on tried.contact_id = things.contact_id and things.place = 1
