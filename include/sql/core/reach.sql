-- How each person is reached on each channel: the address, as the channel knows the person.
-- answers: How can this person be reached?
-- owner: crm
-- grain: contact_id, channel
with contacts as (
    select
        contact_id,
        email,
        phone,
        crm_contact_id
    from core.contacts
    where not is_archived
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
    crm_contact_id as address
from contacts
where crm_contact_id is not null
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
