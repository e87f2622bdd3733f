-- When a person was born: what its CRM records say, the first one first, else what it told a form.
-- answers: How old is this person, and when is its birthday?
-- owner: crm
-- grain: contact_id
{% set iso_day = "^[12][0-9]{3}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])$" %}
with crm_records as (
    select
        contact_id,
        source_id,
        place
    from core.records
    where source = 'crm' and not is_archived
),

crm_contacts as (
    select
        crm_contact_id,
        date_of_birth
    from staging.crm_contacts
    where date_of_birth is not null
),

answers as (
    select
        contact_id,
        -- The 31st of February is no error here, but a day in March; it is left out below.
        ADD_DAYS(
            cast(left(answer, 7) || '-01' as date), cast(right(answer, 2) as bigint) - 1
        ) as date_of_birth,
        cast(right(answer, 2) as bigint) as day_given
    from core.answers
    where question = 'birthday' and answer ~ '{{ iso_day }}'
),

told as (
    select
        crm_records.contact_id,
        1 as rank,
        crm_records.place,
        crm_contacts.date_of_birth
    from crm_records
    inner join crm_contacts on crm_records.source_id = crm_contacts.crm_contact_id
    union all
    select
        contact_id,
        2 as rank,
        1 as place,
        date_of_birth
    from answers
    where extract(day from date_of_birth) = day_given
),

ranked as (
    select
        contact_id,
        date_of_birth,
        row_number() over (partition by contact_id order by rank asc, place asc) as choice
    from told
)

select
    contact_id,
    date_of_birth
from ranked
where choice = 1
