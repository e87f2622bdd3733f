-- How each person is reached on each channel: the address, as the channel knows the person.
-- answers: How can this person be reached?
-- owner: crm
-- grain: contact_id, channel
{% set visitor_days = 30 %}
with contacts as (
    select
        contact_id,
        email,
        phone,
        crm_contact_id
    from core.contacts
    where not is_archived
),

subscriptions as (
    -- Of several browsers the one that was allowed last.
    select
        *,
        row_number() over (
            partition by contact_id order by created_at desc, subscription_id asc
        ) as place
    from core.push_subscriptions
),

visitors as (
    -- On the site a person is its last browser, and a visitor nobody knows is one of its own.
    select
        visitor_id,
        coalesce(contact_id, visitor_id) as contact_id,
        row_number() over (
            partition by coalesce(contact_id, visitor_id)
            order by last_seen_at desc, visitor_id asc
        ) as place
    from core.visitors
    where
        contact_id is not null
        or last_seen_at >= ADD_DAYS(cast({{ as_of }} as date), -{{ visitor_days }})
)

select
    contact_id,
    'email' as channel,
    email as address
from contacts
where email is not null
union all
select
    contact_id,
    'sms' as channel,
    phone as address
from contacts
-- A number that can be dialled from anywhere (E.164).
where phone ~ '^[+][1-9][0-9]{6,14}$'
union all
select
    contact_id,
    'crm' as channel,
    -- Who is not there yet is added by its address.
    coalesce(crm_contact_id, email) as address
from contacts
where coalesce(crm_contact_id, email) is not null
union all
select
    contact_id,
    'webhook' as channel,
    contact_id as address
from contacts
union all
select
    contact_id,
    'audience' as channel,
    contact_id as address
from contacts
union all
select
    contact_id,
    'push' as channel,
    subscription_id as address
from subscriptions
where place = 1
union all
select
    contact_id,
    'onsite' as channel,
    visitor_id as address
from visitors
where place = 1
