-- Days that the CRM keeps of contacts, besides birthdays: what can be read as a day for certain.
-- owner: data
-- grain: crm_contact_id, kind
{% set iso_day = "^[12][0-9]{3}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])" %}
{% set german_day = "^(0[1-9]|[12][0-9]|3[01])[.](0[1-9]|1[0-2])[.][12][0-9]{3}$" %}
with contacts as (
    select
        crm_contact_id,
        _run,
        _line
    from staging.crm_contacts
),

latest as (
    select
        versions.crm_contact_id,
        versions.member_since,
        versions.contract_end,
        versions.baby_due
    from raw.crm_contacts as versions
    inner join contacts
        on
            versions._run = contacts._run
            and versions._line = contacts._line
            and versions.crm_contact_id = contacts.crm_contact_id
),

given as (
    select
        crm_contact_id,
        'member_since' as kind,
        member_since as said
    from latest
    where member_since is not null
    union all
    select
        crm_contact_id,
        'contract_end' as kind,
        contract_end as said
    from latest
    where contract_end is not null
    union all
    select
        crm_contact_id,
        'baby_due' as kind,
        baby_due as said
    from latest
    where baby_due is not null
),

days as (
    select
        crm_contact_id,
        kind,
        case
            when said ~ '{{ iso_day }}' then left(said, 10)
            when said ~ '{{ german_day }}'
                then concat_ws('-', right(said, 4), substring(said, 4, 2), left(said, 2))
        end as iso
    from given
),

dated as (
    select
        crm_contact_id,
        kind,
        cast(right(iso, 2) as bigint) as day_given,
        -- The 31st of February is no error here, but a day in March; it is left out below.
        ADD_DAYS(
            cast(left(iso, 7) || '-01' as date), cast(right(iso, 2) as bigint) - 1
        ) as on_date
    from days
)

select
    crm_contact_id,
    kind,
    on_date
from dated
where extract(day from on_date) = day_given
