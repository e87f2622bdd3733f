-- Contacts to whom at least 3 of the last 5 messages could not be delivered.
-- owner: crm
-- grain: contact_id
{% set looked_at = 5 %}
{% set failed = 3 %}
with mail_events as (
    select * from staging.mail_events
    where event_type in ('delivered', 'soft_bounce')
),

contacts as (
    select * from core.contacts
),

suppressions as (
    select * from staging.ledger_suppressions
    where channel in ('email', 'all')
),

outcomes as (
    -- One outcome a message: an address may be refused after it was accepted.
    select
        email,
        coalesce(message_key, event_id) as message_id,
        max(occurred_at) as occurred_at,
        max(case when event_type = 'soft_bounce' then 1 else 0 end) as is_bounce
    from mail_events
    where email is not null
    group by email, coalesce(message_key, event_id)
),

ranked as (
    select
        *,
        row_number() over (
            partition by email order by occurred_at desc, message_id desc
        ) as recency
    from outcomes
),

failing as (
    -- "3 of the last 5" forgives a full mailbox, but not an abandoned one.
    select
        email,
        sum(is_bounce) as bounces,
        count(*) as messages,
        max(case when is_bounce = 1 then occurred_at end) as last_bounce_at
    from ranked
    where recency <= {{ looked_at }}
    group by email
    having sum(is_bounce) >= {{ failed }}
)

select
    contacts.contact_id,
    contacts.email,
    'soft_bounce' as reason,
    cast(cast(failing.bounces as bigint) as varchar) || ' of the last '
    || cast(cast(failing.messages as bigint) as varchar) || ' messages bounced' as evidence
from contacts
inner join failing on contacts.email = failing.email
where
    not exists (
        select 1 from suppressions
        where
            suppressions.email = contacts.email
            and suppressions.reason = 'soft_bounce'
            -- What was lifted counts again once there is newer evidence.
            and (suppressions.is_active or suppressions.lifted_at >= failing.last_bounce_at)
    )
