-- Points for the lead score, by contact, rule and day. What a person does loses value with time,
-- what it is does not; silence needs no rule, for then the points run out.
-- answers: What earned this contact its points, day by day?
-- owner: crm
-- grain: contact_id, rule, day
{% set decay = "linear" %}
{% set lost_a_month = 50 %}
{% set half_life = 30 %}
with touchpoints as (
    select
        contact_id,
        channel,
        type,
        occurred_at
    from core.touchpoints
    where
        contact_id is not null
        and not is_machine
),

contacts as (
    select * from core.contacts
    where not is_archived
),

companies as (
    select * from staging.crm_companies
    where not is_archived
),

competitors as (
    select * from seeds.competitors
),

rules as (
    select
        'form_submit' as type,
        15 as points
    union all
    select
        'content_download' as type,
        10 as points
    union all
    select
        'note' as type,
        10 as points
    union all
    select
        'survey' as type,
        5 as points
    union all
    select
        'cart_add' as type,
        5 as points
    union all
    select
        'click' as type,
        5 as points
    union all
    select
        'product_view' as type,
        1 as points
    union all
    select
        'search' as type,
        1 as points
    union all
    select
        'page_view' as type,
        1 as points
    union all
    select
        'open' as type,
        1 as points
),

engagement as (
    select
        touchpoints.contact_id,
        touchpoints.channel || '_' || touchpoints.type as rule,
        'engagement' as rule_group,
        cast(touchpoints.occurred_at as date) as day,
        count(*) as times,
        sum(rules.points) as base_points,
        max(touchpoints.occurred_at) as last_at
    from touchpoints
    inner join rules on touchpoints.type = rules.type
    group by
        touchpoints.contact_id,
        touchpoints.channel,
        touchpoints.type,
        cast(touchpoints.occurred_at as date)
),

profiles as (
    select
        contacts.contact_id,
        cast(contacts.created_at as date) as day,
        contacts.country_code,
        contacts.company_name,
        contacts.email_consent,
        lower(contacts.job_title) as job_title,
        lower(contacts.buying_role) as buying_role,
        companies.employees,
        -- DuckDB 2.0.0 cannot bind split_part() in a join when all values are null.
        split_part(coalesce(contacts.email, ''), '@', 2) as mail_domain,
        companies.domain as company_domain
    from contacts
    left join companies on contacts.company_id = companies.company_id
),

fit as (
    select
        contact_id,
        day,
        'job_title_decides' as rule,
        20 as points
    from profiles
    where
        job_title like '%head%'
        or job_title like '%leit%'
        or job_title like '%director%'
        or job_title like '%manager%'
        or job_title like '%chief%'
        or job_title like '%owner%'
        or job_title like '%founder%'
        or job_title like '%inhaber%'
        or job_title like '%vorstand%'
    union all
    select
        contact_id,
        day,
        'buying_role_decides' as rule,
        10 as points
    from profiles
    where buying_role like '%decision_maker%' or buying_role like '%budget_holder%'
    union all
    select
        contact_id,
        day,
        'company_size' as rule,
        case when employees >= 250 then 20 else 10 end as points
    from profiles
    where employees >= 50
    union all
    select
        contact_id,
        day,
        'home_market' as rule,
        5 as points
    from profiles
    where country_code in ('DE', 'AT', 'CH') and company_name is not null
    union all
    -- Who reads along for a competitor buys nothing, however busy.
    select
        contact_id,
        day,
        'competitor' as rule,
        -100 as points
    from profiles
    where
        exists (
            select 1 from competitors
            where competitors.domain in (profiles.mail_domain, profiles.company_domain)
        )
    union all
    select
        contact_id,
        day,
        'opted_out' as rule,
        -20 as points
    from profiles
    where email_consent = 'revoked'
),

aged as (
    select
        *,
        DAYS_BETWEEN(day, {{ as_of }}) as age_days
    from engagement
),

earned as (
    select
        contact_id,
        rule,
        rule_group,
        day,
        times,
        base_points,
        last_at,
        -- Per cent of a month of 30 days: of 10 points 5 are left after one month, none after two.
        RATIO(
            base_points * greatest(3000 - {{ lost_a_month }} * age_days, 0), 3000
        ) as linear_points,
        DECAY(base_points, age_days, {{ half_life }}) as half_life_points
    from aged
    union all
    select
        contact_id,
        rule,
        'fit' as rule_group,
        day,
        1 as times,
        points as base_points,
        cast(null as timestamp) as last_at,
        points as linear_points,
        points as half_life_points
    from fit
)

select
    contact_id,
    rule,
    rule_group,
    day,
    cast(times as bigint) as times,
    cast(base_points as bigint) as base_points,
    cast({{ decay }}_points as decimal(18, 6)) as points,
    last_at
from earned
