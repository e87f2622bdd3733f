-- Notes and the contacts they belong to, of the latest version of each note only.
-- owner: sales
-- grain: note_id, crm_contact_id
with links as (
    select * from raw.crm_note_contacts
),

notes as (
    select
        note_id,
        _run,
        _line
    from staging.crm_notes
)

-- The CRM lists a contact once for each kind of association.
select distinct
    notes.note_id,
    links.crm_contact_id
from links
inner join notes
    on
        links._run = notes._run
        and links._line = notes._line
        and links.note_id = notes.note_id
