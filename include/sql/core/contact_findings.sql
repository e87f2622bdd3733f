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

customer_keys as (
    select
        source_id,
        contact_id
    from core.contact_keys
    where source = 'shop'
),

address_keys as (
    select
        source_id,
        contact_id
    from core.contact_keys
    where source = 'mail'
),

crm_keys as (
    select
        source_id,
        contact_id
    from core.contact_keys
    where source = 'crm'
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

postal_returns as (
    select * from staging.postal_returns
),

shop_versions as (
    select
        'shop' as source,
        replace(customer_id, 'gid://shopify/Customer/', '') as source_id,
        concat_ws(
            '|', nullif(trim(address_line), ''), nullif(trim(zip), ''), nullif(trim(city), '')
        ) as address,
        updated_at,
        _run,
        _line
    from raw.shop_customers
),

crm_versions as (
    select
        'crm' as source,
        crm_contact_id as source_id,
        concat_ws(
            '|', nullif(trim(address_line), ''), nullif(trim(zip), ''), nullif(trim(city), '')
        ) as address,
        updated_at,
        _run,
        _line
    from raw.crm_contacts
),

returns_ranked as (
    select
        coalesce(customer_keys.contact_id, address_keys.contact_id) as contact_id,
        postal_returns.returned_on,
        postal_returns.reason,
        row_number() over (
            partition by coalesce(customer_keys.contact_id, address_keys.contact_id)
            order by
                case when postal_returns.reason = 'deceased' then 1 else 2 end asc,
                postal_returns.returned_on desc,
                postal_returns.return_id asc
        ) as place
    from postal_returns
    left join customer_keys on postal_returns.customer_id = customer_keys.source_id
    left join address_keys on postal_returns.email = address_keys.source_id
    where coalesce(customer_keys.contact_id, address_keys.contact_id) is not null
),

returns as (
    select
        contact_id,
        returned_on,
        reason
    from returns_ranked
    where place = 1
),

versions as (
    select
        returns.contact_id,
        shop_versions.*,
        DAYS_BETWEEN(shop_versions.updated_at, returns.returned_on) >= 0 as is_before
    from returns
    inner join customer_keys on returns.contact_id = customer_keys.contact_id
    inner join shop_versions on customer_keys.source_id = shop_versions.source_id
    union all
    select
        returns.contact_id,
        crm_versions.*,
        DAYS_BETWEEN(crm_versions.updated_at, returns.returned_on) >= 0 as is_before
    from returns
    inner join crm_keys on returns.contact_id = crm_keys.contact_id
    inner join crm_versions on crm_keys.source_id = crm_versions.source_id
),

versions_ranked as (
    select
        contact_id,
        source,
        source_id,
        address,
        is_before,
        row_number() over (
            partition by source, source_id, is_before
            order by updated_at desc, _run desc, _line desc
        ) as place
    from versions
),

moved as (
    -- A record that has another address than when the letter came back.
    select distinct latest.contact_id
    from versions_ranked as latest
    left join versions_ranked as earlier
        on
            latest.source = earlier.source
            and latest.source_id = earlier.source_id
            and earlier.is_before
            and earlier.place = 1
    where
        not latest.is_before
        and latest.place = 1
        and latest.address <> coalesce(earlier.address, '')
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
        case when returns.reason in ('deceased', 'refused') then returns.reason else 'returned' end
            as finding,
        'address' as field,
        case returns.reason when 'deceased' then 'high' when 'refused' then 'low' else 'medium' end
            as severity
    from returns
    inner join contacts on returns.contact_id = contacts.contact_id
    left join moved on returns.contact_id = moved.contact_id
    where moved.contact_id is null or returns.reason = 'deceased'
)

select
    contact_id,
    finding,
    field,
    severity
from findings
