-- A person named a budget in a form.
-- owner: sales
-- grain: contact_id, occurrence_id
{% set look_back_days = 60 %}
with budgets as (
    select * from core.budgets
    where DAYS_BETWEEN(stated_at, {{ as_of }}) <= {{ look_back_days }}
),

contacts as (
    select
        contact_id,
        company_name,
        owner_id
    from core.contacts
    where not is_archived
),

owners as (
    select owner_id from staging.crm_owners
    where not is_archived
),

people as (
    select distinct contact_id from budgets
),

drawn as (
    -- Each lead draws its owner, always the same; a new colleague takes a fair share from all.
    select
        people.contact_id,
        owners.owner_id,
        row_number() over (
            partition by people.contact_id
            order by md5(owners.owner_id || ' ' || people.contact_id) asc, owners.owner_id asc
        ) as place
    from people
    cross join owners
)

select
    budgets.contact_id,
    budgets.event_id as occurrence_id,
    budgets.stated_at as occurred_at,
    budgets.amount,
    'EUR' as currency,
    coalesce(contacts.owner_id, drawn.owner_id) as owner_id,
    contacts.company_name
from budgets
inner join contacts on budgets.contact_id = contacts.contact_id
left join drawn on budgets.contact_id = drawn.contact_id and drawn.place = 1
