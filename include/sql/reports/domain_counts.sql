-- What became of mails, by the week of sending and the domain of the address.
-- answers: Which domains refuse our mails?
-- owner: crm
-- grain: week, domain
with message_outcomes as (
    select
        message_key,
        sent_at,
        delivered_at,
        opened_at,
        clicked_at,
        hard_bounced_at,
        soft_bounced_at,
        complained_at,
        unsubscribed_at
    from core.message_outcomes
    where sent_at is not null and channel = 'mail'
),

mail_events as (
    select
        message_key,
        event_type,
        occurred_at,
        coalesce(split_part(email, '@', 2), 'unknown') as domain
    from staging.mail_events
),

domains as (
    select
        message_key,
        min(domain) as domain
    from mail_events
    group by message_key
),

facts as (
    select
        cast(date_trunc('week', message_outcomes.sent_at) as date) as week,
        coalesce(domains.domain, 'unknown') as domain,
        count(*) as sent,
        count(message_outcomes.delivered_at) as delivered,
        count(message_outcomes.opened_at) as opened,
        count(message_outcomes.clicked_at) as clicked,
        count(message_outcomes.hard_bounced_at) as hard_bounced,
        count(message_outcomes.soft_bounced_at) as soft_bounced,
        count(message_outcomes.complained_at) as complained,
        count(message_outcomes.unsubscribed_at) as unsubscribed
    from message_outcomes
    left join domains on message_outcomes.message_key = domains.message_key
    group by
        cast(date_trunc('week', message_outcomes.sent_at) as date),
        coalesce(domains.domain, 'unknown')
    union all
    -- A mailbox that refuses hours later names the address only: it counts in the week it did.
    select
        cast(date_trunc('week', occurred_at) as date) as week,
        domain,
        0 as sent,
        0 as delivered,
        0 as opened,
        0 as clicked,
        count(case when event_type = 'hard_bounce' then 1 end) as hard_bounced,
        count(case when event_type = 'soft_bounce' then 1 end) as soft_bounced,
        count(case when event_type = 'complaint' then 1 end) as complained,
        0 as unsubscribed
    from mail_events
    where message_key is null and event_type in ('hard_bounce', 'soft_bounce', 'complaint')
    group by cast(date_trunc('week', occurred_at) as date), domain
),

summed as (
    select
        week,
        domain,
        sum(sent) as sent,
        sum(delivered) as delivered,
        sum(opened) as opened,
        sum(clicked) as clicked,
        sum(hard_bounced) as hard_bounced,
        sum(soft_bounced) as soft_bounced,
        sum(complained) as complained,
        sum(unsubscribed) as unsubscribed
    from facts
    group by week, domain
)

select
    week,
    domain,
    cast(sent as bigint) as sent,
    cast(delivered as bigint) as delivered,
    cast(opened as bigint) as opened,
    cast(clicked as bigint) as clicked,
    cast(hard_bounced as bigint) as hard_bounced,
    cast(soft_bounced as bigint) as soft_bounced,
    cast(complained as bigint) as complained,
    cast(unsubscribed as bigint) as unsubscribed
from summed
