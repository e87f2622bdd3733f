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

crm_records as (
    select
        contact_id,
        source_id,
        place
    from core.records
    where source = 'crm' and not is_archived
),

crm_dates as (
    select * from staging.crm_dates
),

ranked as (
    select
        crm_records.contact_id,
        crm_dates.kind,
        crm_dates.on_date,
        row_number() over (
            partition by crm_records.contact_id, crm_dates.kind order by crm_records.place
        ) as choice
    from crm_records
    inner join crm_dates on crm_records.source_id = crm_dates.crm_contact_id
)

select
    contact_id,
    'birthday' as kind,
    date_of_birth as on_date
from contacts
where date_of_birth is not null
union all
select
    contact_id,
    kind,
    on_date
from ranked
where choice = 1
