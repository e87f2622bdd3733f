-- The facts that put a contact into a stage of the funnel, and the time for which each holds.
-- owner: crm
-- grain: contact_id, stage, entered_at, evidence
-- answers: What makes this contact a lead, an opportunity, a customer?
with contacts as (
    select * from core.contacts
),

subscriptions as (
    select * from core.subscriptions
),

contact_keys as (
    select * from core.contact_keys
    where source = 'crm'
),

touchpoints as (
    select * from core.touchpoints
    where
        contact_id is not null
        and type in ('form_submit', 'content_download', 'cart_add')
        -- Signing up for the newsletter makes a subscriber, not a lead.
        and (topic is null or topic <> 'newsletter')
),

crm_contacts as (
    select * from staging.crm_contacts
),

crm_stages as (
    select * from staging.crm_stages
),

deals as (
    select * from staging.crm_deals
    where not is_archived
),

deal_contacts as (
    select * from staging.crm_deal_contacts
),

orders as (
    select * from core.orders
    where is_valid and contact_id is not null and net_amount > 0
),

qualified_periods as (
    select * from lifecycle.qualified_periods
),

contact_deals as (
    select
        contact_keys.contact_id,
        deals.created_at,
        deals.outcome,
        deals.closed_at
    from deals
    inner join deal_contacts on deals.deal_id = deal_contacts.deal_id
    inner join contact_keys on deal_contacts.crm_contact_id = contact_keys.source_id
),

facts as (
    select
        contact_id,
        'other' as stage,
        created_at as entered_at,
        cast(null as timestamp) as left_at,
        'known' as evidence
    from contacts
    union all
    select
        contact_id,
        'subscriber' as stage,
        started_at as entered_at,
        ended_at as left_at,
        'consent' as evidence
    from subscriptions
    union all
    select
        contact_id,
        'lead' as stage,
        min(occurred_at) as entered_at,
        cast(null as timestamp) as left_at,
        type as evidence
    from touchpoints
    group by contact_id, type
    union all
    select
        contact_keys.contact_id,
        'lead' as stage,
        crm_contacts.created_at as entered_at,
        cast(null as timestamp) as left_at,
        'crm_record' as evidence
    from crm_contacts
    inner join contact_keys on crm_contacts.crm_contact_id = contact_keys.source_id
    where not crm_contacts.is_archived and crm_contacts.lifecycle_stage <> 'subscriber'
    union all
    select
        contact_id,
        'mql' as stage,
        entered_at,
        left_at,
        'points' as evidence
    from qualified_periods
    union all
    -- The CRM's word counts until sales calls the contact unqualified.
    select
        contact_keys.contact_id,
        case crm_stages.lifecycle_stage
            when 'marketingqualifiedlead' then 'mql'
            when 'salesqualifiedlead' then 'sql'
            else crm_stages.lifecycle_stage
        end as stage,
        crm_stages.first_seen_at as entered_at,
        case
            when
                crm_contacts.lead_status = 'unqualified'
                and crm_stages.lifecycle_stage in ('marketingqualifiedlead', 'salesqualifiedlead')
                then crm_contacts.updated_at
        end as left_at,
        'crm_stage' as evidence
    from crm_stages
    inner join crm_contacts on crm_stages.crm_contact_id = crm_contacts.crm_contact_id
    inner join contact_keys on crm_stages.crm_contact_id = contact_keys.source_id
    where
        crm_stages.lifecycle_stage in (
            'lead', 'marketingqualifiedlead', 'salesqualifiedlead', 'customer', 'evangelist'
        )
    union all
    select
        contact_id,
        'opportunity' as stage,
        created_at as entered_at,
        closed_at as left_at,
        'deal' as evidence
    from contact_deals
    union all
    select
        contact_id,
        'customer' as stage,
        min(closed_at) as entered_at,
        cast(null as timestamp) as left_at,
        'deal_won' as evidence
    from contact_deals
    where outcome = 'won'
    group by contact_id
    union all
    select
        contact_id,
        'customer' as stage,
        min(ordered_at) as entered_at,
        cast(null as timestamp) as left_at,
        'order' as evidence
    from orders
    group by contact_id
)

select
    contact_id,
    stage,
    cast(
        case stage
            when 'other' then 0
            when 'subscriber' then 1
            when 'lead' then 2
            when 'mql' then 3
            when 'sql' then 4
            when 'opportunity' then 5
            when 'customer' then 6
            else 7
        end as bigint
    ) as stage_rank,
    entered_at,
    -- Facts that say the same hold as long as the longest of them.
    case when count(*) = count(left_at) then max(left_at) end as left_at,
    evidence
from facts
-- An opportunity that closed the moment it opened never was one.
where left_at is null or left_at > entered_at
group by contact_id, stage, entered_at, evidence
