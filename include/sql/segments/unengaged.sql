-- Subscribers of at least 90 days who showed no sign of life in that time: no visit, no open or
-- click by a person, no order.
-- owner: crm
-- grain: contact_id
{% set silent_for = "90 days" %}
with contacts as (
    select * from core.contacts
),

subscribers as (
    select * from segments.subscribers
),

touchpoints as (
    select * from core.touchpoints
    where
        not is_machine
        and (channel = 'site' or type in ('open', 'click'))
        and occurred_at >= {{ as_of }} - interval '{{ silent_for }}'
),

orders as (
    select * from core.orders
    where is_valid and ordered_at >= {{ as_of }} - interval '{{ silent_for }}'
)

select subscribers.contact_id
from subscribers
inner join contacts on subscribers.contact_id = contacts.contact_id
where
    contacts.email_consent_at < {{ as_of }} - interval '{{ silent_for }}'
    and not exists (
        select 1 from touchpoints
        where touchpoints.contact_id = subscribers.contact_id
    )
    and not exists (
        select 1 from orders
        where orders.contact_id = subscribers.contact_id
    )
