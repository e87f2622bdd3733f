-- Tickets and the contacts they belong to, of the latest version of each ticket only.
-- owner: service
-- grain: ticket_id, crm_contact_id
with links as (
    select * from raw.crm_ticket_contacts
),

tickets as (
    select
        ticket_id,
        _run,
        _line
    from staging.crm_tickets
)

-- The CRM lists a contact once for each kind of association.
select distinct
    tickets.ticket_id,
    links.crm_contact_id
from links
inner join tickets
    on
        links._run = tickets._run
        and links._line = tickets._line
        and links.ticket_id = tickets.ticket_id
