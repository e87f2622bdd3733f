-- What is known of a contact's budget, authority, need, time frame and project (BANTP), 0 to 100:
-- the latest word of CRM, forms and open deals; and what to ask next.
-- answers: Who has budget, say, need and a date? What do we ask next?
-- owner: sales
-- grain: contact_id
{% set budget_weight = 25 %}
{% set authority_weight = 25 %}
{% set need_weight = 20 %}
{% set timeframe_weight = 15 %}
{% set project_weight = 15 %}
{% set large_budget = 5000 %}
{% set some_budget = 1000 %}
with contacts as (
    select
        contact_id,
        crm_contact_id
    from core.contacts
    where not is_archived
),

crm_contacts as (
    select * from staging.crm_contacts
    where not is_archived
),

crm_versions as (
    select * from raw.crm_contacts
),

answers as (
    select
        contact_id,
        question,
        lower(answer) as answer,
        answered_at
    from core.answers
),

deals as (
    select * from staging.crm_deals
    where outcome = 'open' and not is_archived
),

deal_contacts as (
    select * from staging.crm_deal_contacts
),

contact_keys as (
    select * from core.contact_keys
    where source = 'crm'
),

levels as (
    -- What each word is worth, in per cent of the field's weight. Other words say nothing.
    select
        'authority' as field,
        'decides' as word,
        100 as share
    union all
    select
        'authority' as field,
        'recommends' as word,
        60 as share
    union all
    select
        'authority' as field,
        'uses' as word,
        20 as share
    union all
    select
        'need' as field,
        'high' as word,
        100 as share
    union all
    select
        'need' as field,
        'medium' as word,
        60 as share
    union all
    select
        'need' as field,
        'low' as word,
        20 as share
    union all
    select
        'need' as field,
        'none' as word,
        0 as share
    union all
    select
        'timeframe' as field,
        'now' as word,
        100 as share
    union all
    select
        'timeframe' as field,
        'quarter' as word,
        80 as share
    union all
    select
        'timeframe' as field,
        'half_year' as word,
        50 as share
    union all
    select
        'timeframe' as field,
        'year' as word,
        20 as share
    union all
    select
        'timeframe' as field,
        'later' as word,
        0 as share
    union all
    select
        'project' as field,
        'yes' as word,
        100 as share
    union all
    select
        'project' as field,
        'no' as word,
        0 as share
),

crm_words as (
    -- A record is touched for many reasons: a word is as old as the first version that had it.
    select
        crm_contacts.crm_contact_id,
        crm_contacts.bant_budget,
        crm_contacts.bant_authority,
        crm_contacts.bant_need,
        crm_contacts.bant_timeframe,
        crm_contacts.bant_project,
        min(
            case
                when crm_versions.bant_budget = crm_contacts.bant_budget
                    then crm_versions.updated_at
            end
        ) as budget_at,
        min(
            case
                when lower(trim(crm_versions.bant_authority)) = crm_contacts.bant_authority
                    then crm_versions.updated_at
            end
        ) as authority_at,
        min(
            case
                when lower(trim(crm_versions.bant_need)) = crm_contacts.bant_need
                    then crm_versions.updated_at
            end
        ) as need_at,
        min(
            case
                when lower(trim(crm_versions.bant_timeframe)) = crm_contacts.bant_timeframe
                    then crm_versions.updated_at
            end
        ) as timeframe_at,
        min(
            case
                when crm_versions.bant_project = crm_contacts.bant_project
                    then crm_versions.updated_at
            end
        ) as project_at
    from crm_contacts
    inner join crm_versions on crm_contacts.crm_contact_id = crm_versions.crm_contact_id
    group by
        crm_contacts.crm_contact_id,
        crm_contacts.bant_budget,
        crm_contacts.bant_authority,
        crm_contacts.bant_need,
        crm_contacts.bant_timeframe,
        crm_contacts.bant_project
),

crm_said as (
    select
        crm_contact_id,
        'authority' as field,
        bant_authority as word,
        authority_at as said_at
    from crm_words
    union all
    select
        crm_contact_id,
        'need' as field,
        bant_need as word,
        need_at as said_at
    from crm_words
    union all
    select
        crm_contact_id,
        'timeframe' as field,
        bant_timeframe as word,
        timeframe_at as said_at
    from crm_words
    union all
    select
        crm_contact_id,
        'project' as field,
        case when bant_project then 'yes' else 'no' end as word,
        project_at as said_at
    from crm_words
    where bant_project is not null
),

contact_deals as (
    select
        contact_keys.contact_id,
        deals.amount,
        deals.updated_at
    from deals
    inner join deal_contacts on deals.deal_id = deal_contacts.deal_id
    inner join contact_keys on deal_contacts.crm_contact_id = contact_keys.source_id
),

words as (
    select
        contact_keys.contact_id,
        crm_said.field,
        crm_said.word,
        'crm' as source,
        crm_said.said_at
    from crm_said
    inner join contact_keys on crm_said.crm_contact_id = contact_keys.source_id
    union all
    select
        contact_id,
        case question when 'role' then 'authority' else question end as field,
        answer as word,
        'form' as source,
        answered_at as said_at
    from answers
    union all
    -- An open deal is a project, whatever was said before it.
    select
        contact_id,
        'project' as field,
        'yes' as word,
        'deal' as source,
        updated_at as said_at
    from contact_deals
),

amounts as (
    select
        contact_keys.contact_id,
        crm_words.bant_budget as amount,
        'crm' as source,
        crm_words.budget_at as said_at
    from crm_words
    inner join contact_keys on crm_words.crm_contact_id = contact_keys.source_id
    where crm_words.bant_budget is not null
    union all
    select
        contact_id,
        cast(answer as decimal(18, 2)) as amount,
        'form' as source,
        answered_at as said_at
    from answers
    where question = 'budget' and answer ~ '^[0-9]{1,12}([.][0-9]{1,2})?$'
    union all
    select
        contact_id,
        amount,
        'deal' as source,
        updated_at as said_at
    from contact_deals
    where amount is not null
),

facts as (
    select
        words.contact_id,
        words.field,
        words.word,
        cast(null as decimal(18, 2)) as amount,
        levels.share,
        words.source,
        words.said_at
    from words
    inner join levels on words.field = levels.field and words.word = levels.word
    union all
    select
        contact_id,
        'budget' as field,
        cast(null as varchar) as word,
        amount,
        case
            when amount >= {{ large_budget }} then 100
            when amount >= {{ some_budget }} then 50
            when amount > 0 then 20
            else 0
        end as share,
        source,
        said_at
    from amounts
),

ranked as (
    select
        *,
        row_number() over (
            partition by contact_id, field
            order by said_at desc, share desc, source asc, amount desc, word asc
        ) as place
    from facts
),

known as (
    select
        contact_id,
        max(case when field = 'budget' then amount end) as budget,
        max(case when field = 'budget' then source end) as budget_source,
        max(case when field = 'authority' then word end) as authority,
        max(case when field = 'authority' then source end) as authority_source,
        max(case when field = 'need' then word end) as need,
        max(case when field = 'need' then source end) as need_source,
        max(case when field = 'timeframe' then word end) as timeframe,
        max(case when field = 'timeframe' then source end) as timeframe_source,
        max(case when field = 'project' then word end) as project,
        max(case when field = 'project' then source end) as project_source,
        count(*) as fields,
        sum(
            share * case field
                when 'budget' then {{ budget_weight }}
                when 'authority' then {{ authority_weight }}
                when 'need' then {{ need_weight }}
                when 'timeframe' then {{ timeframe_weight }}
                when 'project' then {{ project_weight }}
            end
        ) as weighted_share,
        max(said_at) as last_said_at
    from ranked
    where place = 1
    group by contact_id
),

leads as (
    -- Who is neither in the CRM nor said anything is nobody's lead.
    select contact_id from contacts
    where crm_contact_id is not null
    union
    select known.contact_id
    from known
    inner join contacts on known.contact_id = contacts.contact_id
),

gaps as (
    select
        leads.contact_id,
        case when known.budget is null then {{ budget_weight }} else 0 end as budget_gap,
        case when known.authority is null then {{ authority_weight }} else 0 end as authority_gap,
        case when known.need is null then {{ need_weight }} else 0 end as need_gap,
        case when known.timeframe is null then {{ timeframe_weight }} else 0 end as timeframe_gap,
        case when known.project is null then {{ project_weight }} else 0 end as project_gap
    from leads
    left join known on leads.contact_id = known.contact_id
)

select
    gaps.contact_id,
    cast(0.01 * coalesce(known.weighted_share, 0) as decimal(18, 6)) as score,
    cast(known.budget as decimal(18, 2)) as budget,
    known.authority,
    known.need,
    known.timeframe,
    known.project = 'yes' as project,
    known.budget_source,
    known.authority_source,
    known.need_source,
    known.timeframe_source,
    known.project_source,
    cast(coalesce(known.fields, 0) as bigint) as known,
    -- The gap that weighs most; of equals, the one that stands first in the name.
    case greatest(
        gaps.budget_gap, gaps.authority_gap, gaps.need_gap, gaps.timeframe_gap, gaps.project_gap
    )
        when 0 then null
        when gaps.budget_gap then 'budget'
        when gaps.authority_gap then 'authority'
        when gaps.need_gap then 'need'
        when gaps.timeframe_gap then 'timeframe'
        else 'project'
    end as next_gap,
    known.last_said_at
from gaps
left join known on gaps.contact_id = known.contact_id
