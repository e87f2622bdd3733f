-- A person had something of us to judge: sales or service has closed a case, or the first order has
-- been there long enough to be tried. Cases close behind one another are one occurrence.
-- owner: crm
-- grain: contact_id, occurrence_id
{% set tried_after = "5 days" %}
{% set asked_once_in = 30 %}
{% set look_back = "90 days" %}
with cases as (
    select
        ticket_id,
        contact_id,
        subject,
        closed_at
    from core.service_contacts
    where closed_at >= {{ as_of }} - interval '{{ look_back }}'
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
        delivered_at + interval '{{ tried_after }}' as occurred_at
    from firsts
    where
        place = 1
        and delivered_at between {{ as_of }} - interval '{{ look_back }}'
        and {{ as_of }} - interval '{{ tried_after }}'
),

things as (
    -- The dearest of what was in the parcel.
    select
        tried.order_id,
        order_items.title,
        row_number() over (
            partition by tried.order_id
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
left join things on tried.order_id = things.order_id and things.place = 1
