-- What is wrong with a contact's data: missing, malformed, contradictory, unverified, returned.
-- answers: What is wrong with our data, and about whom?
-- owner: crm
-- grain: contact_id, finding, field
{% set confirm_within = 7 %}
{% set youngest_months = 168 %}
{% set oldest_months = 1320 %}
{% set capitals = "^[A-ZÄÖÜÉŞÇ][A-ZÄÖÜÉŞÇ -]{2,}$" %}
{% set test_address = "^(test|tester|asdf|qwertz|qwerty|noreply|no-reply)[0-9._-]*@" %}
{% set uk_zip = "^[A-Za-z]{1,2}[0-9][0-9A-Za-z]? ?[0-9][A-Za-z]{2}$" %}
-- What is read more than once is kept in memory: so the few columns apart.
with contacts as (
    select
        contact_id,
        customer_id,
        crm_contact_id,
        email,
        email_consent,
        email_consent_basis,
        email_consent_at,
        first_name,
        last_name,
        salutation_verdict,
        date_of_birth,
        phone,
        country_code,
        zip
    from core.contacts
    where not is_archived
),

shop_customers as (
    select
        customer_id,
        email_given,
        country_code
    from staging.shop_customers
),

crm_contacts as (
    select
        crm_contact_id,
        email_given,
        country_code
    from staging.crm_contacts
),

returned_letters as (
    select
        contact_id,
        reason
    from core.returned_letters
    where not has_moved or reason = 'deceased'
),

namesakes as (
    select
        contact_id,
        -- lower('Ö') is not the same on every engine.
        replace(
            replace(
                replace(lower(first_name || '|' || last_name || '|' || zip), 'Ä', 'ä'), 'Ö', 'ö'
            ), 'Ü', 'ü'
        ) as name_and_zip
    from contacts
),

repeated as (
    select name_and_zip
    from namesakes
    where name_and_zip is not null
    group by name_and_zip
    having count(*) > 1
),

findings as (
    select
        contacts.contact_id,
        case
            when coalesce(shop_customers.email_given, crm_contacts.email_given) is null
                then 'missing'
            else 'malformed'
        end as finding,
        'email' as field,
        'high' as severity
    from contacts
    left join shop_customers on contacts.customer_id = shop_customers.customer_id
    left join crm_contacts on contacts.crm_contact_id = crm_contacts.crm_contact_id
    where contacts.email is null
    union all
    select
        contact_id,
        'unverified' as finding,
        'email' as field,
        'low' as severity
    from contacts
    where
        (email_consent = 'granted' and email_consent_basis = 'consent_soi')
        or (
            email_consent = 'pending'
            and DAYS_BETWEEN(email_consent_at, {{ as_of }}) > {{ confirm_within }}
        )
    union all
    select
        contact_id,
        'missing' as finding,
        'name' as field,
        'medium' as severity
    from contacts
    where first_name is null and last_name is null
    union all
    select
        contact_id,
        'malformed' as finding,
        'name' as field,
        'medium' as severity
    from contacts
    where first_name ~ '[0-9<>{}%@$]' or last_name ~ '[0-9<>{}%@$]'
    union all
    select
        contact_id,
        'capitals' as finding,
        'name' as field,
        'low' as severity
    from contacts
    where first_name ~ '{{ capitals }}' or last_name ~ '{{ capitals }}'
    union all
    select
        contact_id,
        'test_data' as finding,
        'name' as field,
        'high' as severity
    from contacts
    where
        lower(first_name) in ('test', 'tester', 'asdf', 'qwertz', 'qwerty')
        or lower(last_name) in ('test', 'tester', 'asdf', 'qwertz', 'qwerty', 'mustermann')
        or email ~ '{{ test_address }}'
    union all
    select
        contact_id,
        'contradictory' as finding,
        'salutation' as field,
        'medium' as severity
    from contacts
    where salutation_verdict = 'contradicted'
    union all
    select
        contact_id,
        'implausible' as finding,
        'date_of_birth' as field,
        'medium' as severity
    from contacts
    where
        CALENDAR_MONTHS_BETWEEN(date_of_birth, cast({{ as_of }} as date))
        not between {{ youngest_months }} and {{ oldest_months }}
    union all
    select
        contact_id,
        'malformed' as finding,
        'phone' as field,
        'low' as severity
    from contacts
    where not phone ~ '^[+]?[0-9 ()./-]{6,}$'
    union all
    select
        contact_id,
        'missing' as finding,
        'country_code' as field,
        'low' as severity
    from contacts
    where country_code is null
    union all
    select
        contacts.contact_id,
        'contradictory' as finding,
        'country_code' as field,
        'medium' as severity
    from contacts
    inner join shop_customers on contacts.customer_id = shop_customers.customer_id
    inner join crm_contacts on contacts.crm_contact_id = crm_contacts.crm_contact_id
    where shop_customers.country_code <> crm_contacts.country_code
    union all
    select
        contact_id,
        'contradictory' as finding,
        'zip' as field,
        'medium' as severity
    from contacts
    where
        (country_code in ('DE', 'FR', 'IT', 'ES') and not zip ~ '^[0-9]{5}$')
        or (country_code in ('AT', 'CH', 'LI') and not zip ~ '^[0-9]{4}$')
        or (country_code = 'NL' and not zip ~ '^[0-9]{4} ?[A-Za-z]{2}$')
        or (country_code = 'US' and not zip ~ '^[0-9]{5}(-[0-9]{4})?$')
        or (country_code = 'GB' and not zip ~ '{{ uk_zip }}')
    union all
    select
        namesakes.contact_id,
        'duplicate' as finding,
        'name' as field,
        'medium' as severity
    from namesakes
    inner join repeated on namesakes.name_and_zip = repeated.name_and_zip
    union all
    select
        contacts.contact_id,
        case
            when returned_letters.reason in ('deceased', 'refused') then returned_letters.reason
            else 'returned'
        end as finding,
        'address' as field,
        case returned_letters.reason
            when 'deceased' then 'high' when 'refused' then 'low' else 'medium'
        end as severity
    from returned_letters
    inner join contacts on returned_letters.contact_id = contacts.contact_id
)

select
    contact_id,
    finding,
    field,
    severity
from findings
