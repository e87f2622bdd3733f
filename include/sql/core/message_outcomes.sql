-- What became of each message: sent, delivered, read and clicked by a person or by a machine.
-- answers: What became of this message?
-- owner: crm
-- grain: message_key
with messages as (
    select * from core.messages
    -- A task for sales or a call of another system is no message to anybody.
    where channel in ('email', 'sms', 'push', 'onsite')
),

touches as (
    select
        message_key,
        type,
        is_machine,
        occurred_at
    from core.mail_touchpoints
    union all
    select
        message_key,
        type,
        false as is_machine,
        occurred_at
    from core.channel_touchpoints
),

outcomes as (
    select
        message_key,
        -- What was opened was delivered, whether or not that was reported.
        min(case when type in ('delivered', 'open', 'click') then occurred_at end) as delivered_at,
        -- Who clicks has opened, even where pictures are blocked.
        min(case when type in ('open', 'click') and not is_machine then occurred_at end)
            as opened_at,
        min(case when type = 'click' and not is_machine then occurred_at end) as clicked_at,
        min(case when type = 'hard_bounce' then occurred_at end) as hard_bounced_at,
        min(case when type = 'soft_bounce' then occurred_at end) as soft_bounced_at,
        min(case when type = 'dropped' then occurred_at end) as dropped_at,
        min(case when type = 'complaint' then occurred_at end) as complained_at,
        min(case when type = 'unsubscribe' then occurred_at end) as unsubscribed_at,
        count(case when type = 'open' and not is_machine then 1 end) as opens,
        count(case when type = 'click' and not is_machine then 1 end) as clicks,
        count(case when type = 'open' and is_machine then 1 end) as machine_opens,
        count(case when type = 'click' and is_machine then 1 end) as machine_clicks
    from touches
    group by message_key
)

select
    messages.message_key,
    messages.contact_id,
    case messages.channel when 'email' then 'mail' else messages.channel end as channel,
    messages.flow,
    -- A newsletter is one flow; each of its issues is a campaign.
    case
        when messages.step = 'issue' then messages.occurrence_id
        else messages.flow
    end as campaign,
    messages.step,
    coalesce(messages.variant, '') as variant,
    messages.occurrence_id,
    messages.state,
    messages.planned_as_of as planned_at,
    case when messages.state = 'accepted' then messages.send_at end as sent_at,
    outcomes.delivered_at,
    outcomes.opened_at,
    outcomes.clicked_at,
    outcomes.hard_bounced_at,
    outcomes.soft_bounced_at,
    outcomes.dropped_at,
    outcomes.complained_at,
    outcomes.unsubscribed_at,
    cast(coalesce(outcomes.opens, 0) as bigint) as opens,
    cast(coalesce(outcomes.clicks, 0) as bigint) as clicks,
    cast(coalesce(outcomes.machine_opens, 0) as bigint) as machine_opens,
    cast(coalesce(outcomes.machine_clicks, 0) as bigint) as machine_clicks
from messages
left join outcomes on messages.message_key = outcomes.message_key
