-- One row for each person across shop and CRM: who it is, how to address it, and its consent.
-- answers: Who is this person, how do we address it, and may we write to it?
-- owner: crm
-- grain: contact_id
{% set default_language = "en" %}
{% set default_timezone = "Europe/Berlin" %}
{% set iso_day = "^[12][0-9]{3}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])$" %}
{% set company = "(^| )(gmbh|kg|ag|ohg|gbr|ug|se|ltd|llc|plc|inc|e[.]? ?v[.]?)([ .]|$)" %}
{% set several = "[0-9&+/,@]|(^| )(familie|family|firma|team|und|and)([ .]|$)" %}
with customer_keys as (
    select
        contact_id,
        source_id
    from core.contact_keys
    where source = 'shop'
),

crm_keys as (
    select
        contact_id,
        source_id
    from core.contact_keys
    where source = 'crm'
),

address_keys as (
    select
        contact_id,
        source_id
    from core.contact_keys
    where source = 'mail'
),

shop_customers as (
    select * from staging.shop_customers
),

crm_contacts as (
    select * from staging.crm_contacts
),

-- What is read more than once is kept in memory: so the few columns apart.
shop_records as (
    select
        customer_id,
        created_at,
        updated_at,
        is_email_valid
    from staging.shop_customers
),

crm_records as (
    select
        crm_contact_id,
        created_at,
        updated_at,
        is_email_valid,
        is_archived,
        date_of_birth
    from staging.crm_contacts
),

addresses as (
    select * from staging.addresses
    where source = 'mail' and is_valid
),

consents as (
    select * from core.consents
),

answers as (
    select * from core.answers
    where question = 'birthday' and answer ~ '{{ iso_day }}'
),

first_names as (
    select * from seeds.first_names
),

countries as (
    select * from seeds.country_defaults
),

timezones as (
    select distinct timezone from core.timezone_offsets
),

shop_ranked as (
    select
        customer_keys.contact_id,
        customer_keys.source_id as customer_id,
        -- Several shop accounts: the one used last that can be written to.
        row_number() over (
            partition by customer_keys.contact_id
            order by
                shop_records.is_email_valid desc,
                shop_records.updated_at desc,
                shop_records.customer_id asc
        ) as place
    from customer_keys
    inner join shop_records on customer_keys.source_id = shop_records.customer_id
),

crm_ranked as (
    select
        crm_keys.contact_id,
        crm_keys.source_id as crm_contact_id,
        row_number() over (
            partition by crm_keys.contact_id
            order by
                crm_records.is_email_valid desc,
                crm_records.updated_at desc,
                crm_records.crm_contact_id asc
        ) as place
    from crm_keys
    inner join crm_records on crm_keys.source_id = crm_records.crm_contact_id
    -- What was deleted or merged away in the CRM still identifies a person, but says nothing.
    where not crm_records.is_archived
),

crm_birthdays as (
    -- It may stand in any record of the person; of several the one that is chosen otherwise, too.
    select
        crm_keys.contact_id,
        crm_records.date_of_birth,
        row_number() over (
            partition by crm_keys.contact_id
            order by
                crm_records.is_email_valid desc,
                crm_records.updated_at desc,
                crm_records.crm_contact_id asc
        ) as place
    from crm_keys
    inner join crm_records on crm_keys.source_id = crm_records.crm_contact_id
    where not crm_records.is_archived and crm_records.date_of_birth is not null
),

shop as (
    select
        shop_ranked.contact_id,
        shop_customers.*,
        coalesce(shop_customers.zip, shop_customers.city) is not null as has_address
    from shop_ranked
    inner join shop_customers on shop_ranked.customer_id = shop_customers.customer_id
    where shop_ranked.place = 1
),

crm as (
    select
        crm_ranked.contact_id,
        crm_contacts.*
    from crm_ranked
    inner join crm_contacts on crm_ranked.crm_contact_id = crm_contacts.crm_contact_id
    where crm_ranked.place = 1
),

records as (
    select
        customer_keys.contact_id,
        shop_records.created_at,
        cast(null as varchar) as email,
        1 as accounts,
        1 as live_records
    from customer_keys
    inner join shop_records on customer_keys.source_id = shop_records.customer_id
    union all
    select
        crm_keys.contact_id,
        crm_records.created_at,
        cast(null as varchar) as email,
        1 as accounts,
        case when crm_records.is_archived then 0 else 1 end as live_records
    from crm_keys
    inner join crm_records on crm_keys.source_id = crm_records.crm_contact_id
    union all
    select
        address_keys.contact_id,
        addresses.first_seen_at as created_at,
        addresses.email,
        0 as accounts,
        1 as live_records
    from address_keys
    inner join addresses on address_keys.source_id = addresses.email
),

born as (
    select
        contact_id,
        min(created_at) as created_at,
        -- Only a person without any account is written to at a mere address.
        case when sum(accounts) = 0 then min(email) end as email,
        sum(live_records) as live_records
    from records
    group by contact_id
),

consents_ranked as (
    select
        *,
        row_number() over (
            partition by contact_id
            order by
                -- An open question does not overrule an answer.
                case when state = 'pending' then 2 else 1 end asc,
                occurred_at desc,
                case when state = 'revoked' then 1 else 2 end asc,
                source asc,
                source_id asc
        ) as place
    from consents
),

birthdays as (
    select
        contact_id,
        -- The 31st of February is no error here, but a day in March; it is left out below.
        ADD_DAYS(
            cast(left(answer, 7) || '-01' as date), cast(right(answer, 2) as bigint) - 1
        ) as date_of_birth,
        cast(right(answer, 2) as bigint) as day_given
    from answers
),

joined as (
    select
        born.contact_id,
        born.created_at,
        born.live_records = 0 as is_archived,
        split_part(born.contact_id, '-', 1) as source,
        coalesce(shop.email, crm.email, born.email) as email,
        shop.customer_id,
        crm.crm_contact_id,
        coalesce(shop.first_name, crm.first_name) as first_name,
        coalesce(shop.last_name, crm.last_name) as last_name,
        crm.salutation as salutation_given,
        coalesce(shop.language, crm.language) as language,
        -- An address is taken whole: the street of one record and the town of another is none.
        case
            when shop.has_address then coalesce(shop.country_code, crm.country_code)
            else coalesce(crm.country_code, shop.country_code)
        end as country_code,
        case when shop.has_address then shop.address_line else crm.address_line end as address_line,
        case when shop.has_address then shop.zip else crm.zip end as zip,
        case when shop.has_address then shop.city else crm.city end as city,
        coalesce(shop.phone, crm.phone) as phone,
        crm.timezone,
        crm_birthdays.date_of_birth,
        crm.job_title,
        crm.company_name,
        crm.company_id,
        crm.persona,
        crm.buying_role,
        crm.followers,
        crm.owner_id,
        crm.lifecycle_stage as crm_lifecycle_stage,
        crm.lead_status as crm_lead_status
    from born
    left join shop on born.contact_id = shop.contact_id
    left join crm on born.contact_id = crm.contact_id
    left join crm_birthdays
        on born.contact_id = crm_birthdays.contact_id and crm_birthdays.place = 1
),

named as (
    select
        *,
        case salutation_given when 'Frau' then 'f' when 'Herr' then 'm' end as sex,
        -- lower('Ö') is not the same on every engine; the list has no other such letters.
        case
            when salutation_given is not null
                then replace(
                    replace(
                        replace(
                            replace(
                                replace(
                                    replace(lower(first_name || '|' || last_name), 'Ä', 'ä'),
                                    'Ö', 'ö'
                                ), 'Ü', 'ü'
                            ), 'É', 'é'
                        ), 'Ş', 'ş'
                    ), 'Ç', 'ç'
                )
        end as name
    from joined
),

parted as (
    select
        *,
        replace(split_part(name, '|', 1), '-', ' ') as given_names,
        split_part(name, '|', 2) as family_name
    from named
),

name_parts as (
    select
        *,
        split_part(given_names, ' ', 1) as first_part,
        split_part(given_names, ' ', 2) as second_part,
        split_part(given_names, ' ', 3) as third_part,
        split_part(given_names, ' ', 4) as fourth_part
    from parted
),

judged as (
    -- The CRM's word counts when every first name is one given to that sex only: two that agree.
    -- A first name alone is no reason to call anybody Frau or Herr, and an unknown one confirms
    -- nothing. Neutral too: companies, families, couples, and a last name that is a first name,
    -- for then the two may be swapped.
    select
        name_parts.*,
        case
            when name_parts.salutation_given is null then null
            when firsts.sex <> name_parts.sex then 'contradicted'
            when
                firsts.sex = name_parts.sex
                and (name_parts.second_part = '' or seconds.sex = name_parts.sex)
                and (name_parts.third_part = '' or thirds.sex = name_parts.sex)
                and name_parts.fourth_part = ''
                and lasts.first_name is null
                and not name_parts.family_name ~ '{{ company }}|{{ several }}'
                then 'confirmed'
            else 'unconfirmed'
        end as salutation_verdict
    from name_parts
    left join first_names as firsts on name_parts.first_part = firsts.first_name
    left join first_names as seconds on name_parts.second_part = seconds.first_name
    left join first_names as thirds on name_parts.third_part = thirds.first_name
    left join first_names as lasts on name_parts.family_name = lasts.first_name
)

select
    judged.contact_id,
    judged.email,
    judged.first_name,
    judged.last_name,
    case
        when judged.salutation_verdict = 'confirmed' then judged.salutation_given
    end as salutation,
    judged.salutation_given,
    judged.salutation_verdict,
    -- What the person chose; else what is spoken where it lives; else what most people read.
    coalesce(judged.language, countries.language, '{{ default_language }}') as language,
    judged.country_code,
    coalesce(
        timezones.timezone, countries.timezone, '{{ default_timezone }}'
    ) as timezone,
    judged.address_line,
    judged.zip,
    judged.city,
    judged.phone,
    coalesce(
        judged.date_of_birth,
        case
            when extract(day from birthdays.date_of_birth) = birthdays.day_given
                then birthdays.date_of_birth
        end
    ) as date_of_birth,
    judged.job_title,
    judged.company_name,
    judged.company_id,
    judged.persona,
    judged.buying_role,
    judged.followers,
    judged.owner_id,
    coalesce(consents_ranked.state, 'none') as email_consent,
    consents_ranked.occurred_at as email_consent_at,
    consents_ranked.basis as email_consent_basis,
    consents_ranked.source as email_consent_source,
    judged.customer_id,
    judged.crm_contact_id,
    judged.crm_lifecycle_stage,
    judged.crm_lead_status,
    judged.source,
    judged.is_archived,
    judged.created_at
from judged
left join countries on judged.country_code = countries.country_code
left join timezones on judged.timezone = timezones.timezone
left join birthdays on judged.contact_id = birthdays.contact_id
left join consents_ranked
    on judged.contact_id = consents_ranked.contact_id and consents_ranked.place = 1
