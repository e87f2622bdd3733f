-- Subscribers who got at least 10 mails in 180 days and showed no sign of life in that time: no
-- visit, no open or click by a person, no order.
-- owner: crm
-- grain: contact_id
{% set silent_for = 180 %}
{% set mails_received = 10 %}
with contacts as (
    select * from core.contacts
    where email is not null and email_consent = 'granted'
),

deliveries as (
    select contact_id
    from core.touchpoints
    where
        contact_id is not null
        and channel = 'mail'
        and type = 'delivered'
        and DAYS_BETWEEN(occurred_at, {{ as_of }}) <= {{ silent_for }}
),

actions as (
    select contact_id
    from core.touchpoints
    where
        contact_id is not null
        and not is_machine
        and (channel = 'site' or type in ('open', 'click'))
        and DAYS_BETWEEN(occurred_at, {{ as_of }}) <= {{ silent_for }}
),

orders as (
    select contact_id
    from core.orders
    where is_valid and DAYS_BETWEEN(ordered_at, {{ as_of }}) <= {{ silent_for }}
),

asked_before as (
    -- Whose suppression was lifted is given the same time anew.
    select distinct email
    from staging.ledger_suppressions
    where
        channel in ('email', 'all')
        and reason = 'unengaged'
        and (is_active or DAYS_BETWEEN(lifted_at, {{ as_of }}) <= {{ silent_for }})
),

received as (
    select
        contact_id,
        count(*) as mails
    from deliveries
    group by contact_id
    having count(*) >= {{ mails_received }}
)

select
    contacts.contact_id,
    contacts.email,
    'unengaged' as reason,
    cast(received.mails as varchar)
    || ' mails in {{ silent_for }} days, no open, click, visit or order' as evidence
from contacts
inner join received on contacts.contact_id = received.contact_id
left join asked_before on contacts.email = asked_before.email
where
    not exists (
        select 1 from actions
        where actions.contact_id = contacts.contact_id
    )
    and not exists (
        select 1 from orders
        where orders.contact_id = contacts.contact_id
    )
    and asked_before.email is null
