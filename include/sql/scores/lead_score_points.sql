-- Points for the lead score, one row for each touch or attribute that earns some.
-- owner: crm
-- grain: contact_id, rule, evidence
{% set half_life = 30 %}
with touchpoints as (
    select * from core.touchpoints
    where
        contact_id is not null
        and not is_machine
        and occurred_at < {{ as_of }}
),

contacts as (
    select * from core.contacts
    where not is_archived
),

companies as (
    select * from staging.crm_companies
    where not is_archived
),

engagement as (
    -- What a person does counts less the longer ago it was: half after one half-life.
    select
        contact_id,
        channel || '_' || type as rule,
        'engagement' as rule_group,
        touchpoint_id as evidence,
        occurred_at,
        case type
            when 'form_submit' then 15
            when 'content_download' then 10
            when 'note' then 10
            when 'cart_add' then 5
            when 'click' then 5
            when 'product_view' then 1
            when 'search' then 1
            when 'page_view' then 1
            when 'open' then 1
        end as base_points
    from touchpoints
),

fit as (
    -- What a person is does not age.
    select
        contact_id,
        'job_title_decides' as rule,
        'fit' as rule_group,
        contact_id as evidence,
        cast(null as timestamp) as occurred_at,
        20 as base_points
    from contacts
    where
        lower(job_title) like '%head%'
        or lower(job_title) like '%leit%'
        or lower(job_title) like '%director%'
        or lower(job_title) like '%manager%'
        or lower(job_title) like '%chief%'
        or lower(job_title) like '%owner%'
        or lower(job_title) like '%founder%'
        or lower(job_title) like '%inhaber%'
        or lower(job_title) like '%vorstand%'
    union all
    select
        contacts.contact_id,
        'company_size' as rule,
        'fit' as rule_group,
        companies.company_id as evidence,
        cast(null as timestamp) as occurred_at,
        case when companies.employees >= 250 then 20 else 10 end as base_points
    from contacts
    inner join companies on contacts.company_id = companies.company_id
    where companies.employees >= 50
    union all
    select
        contact_id,
        'home_market' as rule,
        'fit' as rule_group,
        contact_id as evidence,
        cast(null as timestamp) as occurred_at,
        5 as base_points
    from contacts
    where country_code in ('DE', 'AT', 'CH') and company_name is not null
),

earned as (
    select
        *,
        DECAY(base_points, DAYS_BETWEEN(occurred_at, {{ as_of }}), {{ half_life }}) as points
    from engagement
    where base_points is not null
    union all
    select
        *,
        cast(base_points as decimal(18, 6)) as points
    from fit
)

select
    contact_id,
    rule,
    rule_group,
    evidence,
    occurred_at,
    cast(base_points as bigint) as base_points,
    cast(points as decimal(18, 6)) as points
from earned
