-- Days that matter to a person: birthday, member since, contract end, and a child's due date, which
-- is its day of birth once that is known.
-- answers: Whose birthday or anniversary is it, whose contract ends, who expects a child?
-- owner: crm
-- grain: contact_id, kind
with contacts as (
    select
        contact_id,
        crm_contact_id,
        date_of_birth
    from core.contacts
    where not is_archived
),

crm_dates as (
    select * from staging.crm_dates
)

select
    contact_id,
    'birthday' as kind,
    date_of_birth as on_date
from contacts
where date_of_birth is not null
union all
select
    contacts.contact_id,
    crm_dates.kind,
    crm_dates.on_date
from contacts
inner join crm_dates on contacts.crm_contact_id = crm_dates.crm_contact_id
