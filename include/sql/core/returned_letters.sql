-- The last letter that came back from each contact, and whether a record of it has got another
-- address since. That somebody has died counts whenever it was said.
-- answers: Whose postal address is wrong?
-- owner: crm
-- grain: contact_id
with customer_keys as (
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
)

select
    returns.contact_id,
    returns.returned_on,
    returns.reason,
    moved.contact_id is not null as has_moved
from returns
left join moved on returns.contact_id = moved.contact_id
