-- Where each person came from: the first campaign visit, if there was one by the day after it was
-- first known; else the system that knew it first.
-- answers: Which source and campaign does a contact come from?
-- owner: crm
-- grain: contact_id
with contacts as (
    select
        contact_id,
        source,
        created_at
    from core.contacts
),

touches as (
    select
        touchpoint_id,
        contact_id,
        platform,
        campaign,
        touched_at
    from core.attribution_touches
    where channel = 'site'
),

ranked as (
    select
        touches.contact_id,
        touches.platform,
        touches.campaign,
        row_number() over (
            partition by touches.contact_id order by touches.touched_at, touches.touchpoint_id
        ) as place
    from touches
    inner join contacts on touches.contact_id = contacts.contact_id
    -- Who was known before was not won by the campaign.
    where DAYS_BETWEEN(contacts.created_at, touches.touched_at) <= 1
)

select
    contacts.contact_id,
    coalesce(ranked.platform, contacts.source) as source,
    coalesce(ranked.campaign, 'none') as campaign
from contacts
left join ranked on contacts.contact_id = ranked.contact_id and ranked.place = 1
