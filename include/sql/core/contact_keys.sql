-- Which person a shop customer, CRM contact or mail address is. contact_id is the person's oldest
-- known record: it stays when the address changes and when records join later.
-- answers: Which records are the same person?
-- owner: data
-- grain: source, source_id
{% set shared_by = 10 %}
with addresses as (
    select * from staging.addresses
    where is_valid
),

crm_contacts as (
    select * from staging.crm_contacts
),

shop_customers as (
    select * from staging.shop_customers
),

positions as (
    -- The CRM lists merged contacts in one field; ten of them are read.
    select 1 as position
    union all
    select 2 as position
    union all
    select 3 as position
    union all
    select 4 as position
    union all
    select 5 as position
    union all
    select 6 as position
    union all
    select 7 as position
    union all
    select 8 as position
    union all
    select 9 as position
    union all
    select 10 as position
),

merged_lists as (
    select
        crm_contact_id,
        -- DuckDB 2.0.0 cannot bind split_part() in a join when all values are null.
        coalesce(merged_ids, '') as merged_ids
    from crm_contacts
),

records as (
    select
        'shop' as source,
        customer_id as source_id,
        'shop-' || customer_id as record_id,
        created_at,
        1 as precedence
    from shop_customers
    union all
    select
        'crm' as source,
        crm_contact_id as source_id,
        'crm-' || crm_contact_id as record_id,
        created_at,
        2 as precedence
    from crm_contacts
    union all
    -- A guest or visitor is known by the address alone.
    select
        source,
        source_id,
        'mail-' || md5(email) as record_id,
        first_seen_at as created_at,
        3 as precedence
    from addresses
    where source = 'mail'
),

ranked as (
    -- The smaller the number, the older the record.
    select
        source,
        source_id,
        record_id,
        row_number() over (order by created_at, precedence, record_id) as record_number
    from records
),

address_records as (
    select
        addresses.email,
        ranked.record_number
    from addresses
    inner join ranked on addresses.source = ranked.source and addresses.source_id = ranked.source_id
),

address_owners as (
    select
        email,
        min(record_number) as oldest_number,
        count(*) as records
    from address_records
    group by email
),

links as (
    select
        address_records.record_number,
        address_owners.oldest_number as linked_number
    from address_records
    inner join address_owners on address_records.email = address_owners.email
    where
        address_records.record_number <> address_owners.oldest_number
        -- An address that so many records give is a placeholder, and joins nobody.
        and address_owners.records <= {{ shared_by }}
    union all
    select
        survivors.record_number,
        merged.record_number as linked_number
    from merged_lists
    inner join positions on split_part(merged_lists.merged_ids, ';', positions.position) <> ''
    inner join ranked as survivors
        on survivors.source = 'crm' and merged_lists.crm_contact_id = survivors.source_id
    inner join ranked as merged
        on
            merged.source = 'crm'
            and trim(split_part(merged_lists.merged_ids, ';', positions.position))
            = merged.source_id
),

edges as (
    select
        record_number,
        linked_number
    from links
    union all
    select
        linked_number as record_number,
        record_number as linked_number
    from links
    union all
    select
        record_number,
        record_number as linked_number
    from links
    union all
    select
        linked_number as record_number,
        linked_number
    from links
),

-- Each round passes the oldest number one link on. After the first it is passed from group to
-- group, and most have one alone; six rounds join chains of four records at the least.
round_1 as (
    select
        record_number,
        min(linked_number) as person_number
    from edges
    group by record_number
),

groups as (
    select distinct
        one.person_number,
        other.person_number as touched_number
    from edges
    inner join round_1 as one on edges.record_number = one.record_number
    inner join round_1 as other on edges.linked_number = other.record_number
),

round_2 as (
    select
        person_number,
        min(touched_number) as oldest_number
    from groups
    group by person_number
),

round_3 as (
    select
        groups.person_number,
        min(round_2.oldest_number) as oldest_number
    from groups
    inner join round_2 on groups.touched_number = round_2.person_number
    group by groups.person_number
),

round_4 as (
    select
        groups.person_number,
        min(round_3.oldest_number) as oldest_number
    from groups
    inner join round_3 on groups.touched_number = round_3.person_number
    group by groups.person_number
),

round_5 as (
    select
        groups.person_number,
        min(round_4.oldest_number) as oldest_number
    from groups
    inner join round_4 on groups.touched_number = round_4.person_number
    group by groups.person_number
),

round_6 as (
    select
        groups.person_number,
        min(round_5.oldest_number) as oldest_number
    from groups
    inner join round_5 on groups.touched_number = round_5.person_number
    group by groups.person_number
),

joined as (
    -- Records that belong to an older one.
    select
        round_1.record_number,
        ranked.record_id as contact_id
    from round_1
    left join round_6 on round_1.person_number = round_6.person_number
    inner join ranked
        on coalesce(round_6.oldest_number, round_1.person_number) = ranked.record_number
),

persons as (
    select
        ranked.source,
        ranked.source_id,
        ranked.record_id,
        ranked.record_number,
        coalesce(joined.contact_id, ranked.record_id) as contact_id
    from ranked
    left join joined on ranked.record_number = joined.record_number
),

record_keys as (
    select
        source,
        source_id,
        record_id,
        contact_id
    from persons
    where source <> 'mail'
),

address_keys as (
    select
        'mail' as source,
        address_owners.email as source_id,
        'mail-' || md5(address_owners.email) as record_id,
        persons.contact_id
    from address_owners
    inner join persons on address_owners.oldest_number = persons.record_number
)

select
    source,
    source_id,
    record_id,
    contact_id
from record_keys
union all
select
    source,
    source_id,
    record_id,
    contact_id
from address_keys
