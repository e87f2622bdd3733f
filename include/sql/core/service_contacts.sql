-- What people turned to the service team with, and when that was done. Open tickets have no end.
-- answers: Who was in touch with the service team, about what, and is it done?
-- owner: service
-- grain: ticket_id, contact_id
with tickets as (
    select * from staging.crm_tickets
    where not is_archived
),

ticket_contacts as (
    select * from staging.crm_ticket_contacts
),

crm_keys as (
    select
        source_id,
        contact_id
    from core.contact_keys
    where source = 'crm'
)

-- Two records of a ticket may be one person.
select distinct
    tickets.ticket_id,
    crm_keys.contact_id,
    tickets.subject,
    tickets.category,
    tickets.created_at as opened_at,
    tickets.closed_at,
    tickets.owner_id
from tickets
inner join ticket_contacts on tickets.ticket_id = ticket_contacts.ticket_id
inner join crm_keys on ticket_contacts.crm_contact_id = crm_keys.source_id
