-- What was said to sales: the talks and submissions that the CRM keeps as notes.
-- owner: crm
-- grain: touchpoint_id
with notes as (
    select * from staging.crm_notes
    where not is_archived and noted_at < {{ as_of }}
),

note_contacts as (
    select * from staging.crm_note_contacts
),

crm_keys as (
    select
        source_id,
        contact_id
    from core.contact_keys
    where source = 'crm'
)

select
    'note-' || notes.note_id || '-' || min(note_contacts.crm_contact_id) as touchpoint_id,
    notes.noted_at as occurred_at,
    'note' as type,
    crm_keys.contact_id
from notes
inner join note_contacts on notes.note_id = note_contacts.note_id
left join crm_keys on note_contacts.crm_contact_id = crm_keys.source_id
-- Two records at one talk may be one person; records that nobody knows are people of their own.
group by
    notes.note_id,
    notes.noted_at,
    crm_keys.contact_id,
    case when crm_keys.contact_id is null then note_contacts.crm_contact_id end
