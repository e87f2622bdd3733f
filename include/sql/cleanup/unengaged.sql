-- Subscribers who got at least 10 mails in 180 days and showed no sign of life in that time: no
-- visit, no open or click by a person, no order.
-- owner: crm
-- grain: contact_id
{% set silent_for = "180 days" %}
{% set mails_received = 10 %}
with contacts as (
    select * from core.contacts
    where email is not null and email_consent = 'granted'
),

touchpoints as (
    select * from core.touchpoints
    where occurred_at >= {{ as_of }} - interval '{{ silent_for }}'
),

orders as (
    select * from core.orders
    where is_valid and ordered_at >= {{ as_of }} - interval '{{ silent_for }}'
),

suppressions as (
    select * from core.suppressions
),

received as (
    select
        contact_id,
        count(*) as mails
    from touchpoints
    where type = 'delivered'
    group by contact_id
    having count(*) >= {{ mails_received }}
),

alive as (
    select contact_id
    from touchpoints
    where not is_machine and (channel = 'site' or type in ('open', 'click'))
    union
    select contact_id
    from orders
)

select
    contacts.contact_id,
    contacts.email,
    'unengaged' as reason,
    cast(received.mails as varchar)
    || ' mails in {{ silent_for }}, no open, click, visit or order' as evidence
from contacts
inner join received on contacts.contact_id = received.contact_id
where
    not exists (
        select 1 from alive
        where alive.contact_id = contacts.contact_id
    )
    and not exists (
        select 1 from suppressions
        where suppressions.email = contacts.email and suppressions.reason = 'unengaged'
    )
