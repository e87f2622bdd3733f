-- Every lead that is not a customer yet: how warm it is, what is known, where it came from, who
-- looks after it, and its open deals.
-- answers: Whom should sales call next? What do we know of a lead?
-- owner: sales
-- grain: contact_id
with stage as (
    select * from lifecycle.stage
    where stage in ('lead', 'mql', 'sql', 'opportunity')
),

contacts as (
    select
        contact_id,
        company_name,
        job_title,
        country_code,
        owner_id,
        created_at
    from core.contacts
    where not is_archived
),

sources as (
    select * from core.attribution_sources
),

lead_score as (
    select
        contact_id,
        score
    from scores.lead_score
),

bant as (
    select
        contact_id,
        score,
        next_gap
    from scores.bant
),

engagement as (
    select
        contact_id,
        best_channel,
        last_engaged_at
    from scores.engagement
),

contact_keys as (
    select
        source_id,
        contact_id
    from core.contact_keys
    where source = 'crm'
),

deals as (
    select
        deal_id,
        amount,
        deal_stage,
        expected_close_at,
        updated_at
    from staging.crm_deals
    where outcome = 'open' and not is_archived
),

deal_contacts as (
    select * from staging.crm_deal_contacts
),

deal_people as (
    -- Two records of one person may stand at the same deal.
    select distinct
        deal_contacts.deal_id,
        contact_keys.contact_id
    from deal_contacts
    inner join contact_keys on deal_contacts.crm_contact_id = contact_keys.source_id
),

contact_deals as (
    select
        deal_people.contact_id,
        deals.amount,
        deals.deal_stage,
        deals.expected_close_at,
        row_number() over (
            partition by deal_people.contact_id
            order by deals.updated_at desc, deals.deal_id asc
        ) as place
    from deals
    inner join deal_people on deals.deal_id = deal_people.deal_id
),

open_deals as (
    select
        contact_id,
        count(*) as open_deals,
        sum(amount) as open_amount,
        min(expected_close_at) as next_close_at,
        max(case when place = 1 then deal_stage end) as deal_stage
    from contact_deals
    group by contact_id
)

select
    contacts.contact_id,
    contacts.company_name,
    contacts.job_title,
    contacts.country_code,
    contacts.owner_id,
    contacts.created_at,
    stage.stage,
    stage.stage_since,
    stage.highest_stage,
    lead_score.score as lead_score,
    bant.score as bant_score,
    bant.next_gap as bant_next_gap,
    engagement.best_channel,
    engagement.last_engaged_at,
    sources.source,
    sources.campaign,
    cast(coalesce(open_deals.open_deals, 0) as bigint) as open_deals,
    cast(open_deals.open_amount as decimal(18, 2)) as open_amount,
    open_deals.deal_stage,
    open_deals.next_close_at
from stage
inner join contacts on stage.contact_id = contacts.contact_id
left join sources on stage.contact_id = sources.contact_id
left join lead_score on stage.contact_id = lead_score.contact_id
left join bant on stage.contact_id = bant.contact_id
left join engagement on stage.contact_id = engagement.contact_id
left join open_deals on stage.contact_id = open_deals.contact_id
