-- Days that matter to a person: birthday, member since, contract end, and a child's due date, which
-- is its day of birth once that is known. Of several CRM records the first that gives the day.
-- answers: Whose birthday or anniversary is it, whose contract ends, who expects a child?
-- owner: crm
-- grain: contact_id, kind
with contacts as (
    select
        contact_id,
        date_of_birth
    from core.contacts
    where not is_archived
),

crm_keys as (
    select
        contact_id,
        source_id
    from core.contact_keys
    where source = 'crm'
),

crm_contacts as (
    select
        crm_contact_id,
        updated_at,
        is_email_valid
    from staging.crm_contacts
    where not is_archived
),

crm_dates as (
    select * from staging.crm_dates
),

ranked as (
    select
        crm_keys.contact_id,
        crm_dates.kind,
        crm_dates.on_date,
        -- In the order in which core.contacts takes CRM records.
        row_number() over (
            partition by crm_keys.contact_id, crm_dates.kind
            order by
                crm_contacts.is_email_valid desc,
                crm_contacts.updated_at desc,
                crm_contacts.crm_contact_id asc
        ) as place
    from crm_keys
    inner join crm_contacts on crm_keys.source_id = crm_contacts.crm_contact_id
    inner join crm_dates on crm_keys.source_id = crm_dates.crm_contact_id
)

select
    contact_id,
    'birthday' as kind,
    date_of_birth as on_date
from contacts
where date_of_birth is not null
union all
select
    ranked.contact_id,
    ranked.kind,
    ranked.on_date
from ranked
inner join contacts on ranked.contact_id = contacts.contact_id
where ranked.place = 1
