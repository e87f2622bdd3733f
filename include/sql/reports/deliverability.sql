-- How each mailbox provider treats our mails, by the week of sending; the status follows the
-- complaint rates that Gmail asks bulk senders to stay below.
-- answers: Does a mailbox provider still deliver our mails? Are we near Gmail's complaint limit?
-- owner: crm
-- grain: week, provider
{% set warn_from = "0.001" %}
{% set critical_from = "0.003" %}
{% set judged_from = 100 %}
with domain_counts as (
    select * from reports.domain_counts
),

mailbox_providers as (
    select * from seeds.mailbox_providers
),

summed as (
    select
        domain_counts.week,
        coalesce(mailbox_providers.provider, 'other') as provider,
        sum(domain_counts.sent) as sent,
        sum(domain_counts.delivered) as delivered,
        sum(domain_counts.opened) as opened,
        sum(domain_counts.clicked) as clicked,
        sum(domain_counts.hard_bounced) as hard_bounced,
        sum(domain_counts.soft_bounced) as soft_bounced,
        sum(domain_counts.complained) as complained,
        sum(domain_counts.unsubscribed) as unsubscribed
    from domain_counts
    left join mailbox_providers on domain_counts.domain = mailbox_providers.domain
    group by domain_counts.week, coalesce(mailbox_providers.provider, 'other')
),

rated as (
    select
        *,
        cast(RATIO(complained, delivered) as decimal(18, 6)) as complaint_rate
    from summed
)

select
    week,
    provider,
    cast(sent as bigint) as sent,
    cast(delivered as bigint) as delivered,
    cast(opened as bigint) as opened,
    cast(clicked as bigint) as clicked,
    cast(hard_bounced as bigint) as hard_bounced,
    cast(soft_bounced as bigint) as soft_bounced,
    cast(complained as bigint) as complained,
    cast(unsubscribed as bigint) as unsubscribed,
    cast(RATIO(delivered, sent) as decimal(18, 6)) as delivery_rate,
    cast(RATIO(opened, delivered) as decimal(18, 6)) as open_rate,
    cast(RATIO(clicked, delivered) as decimal(18, 6)) as click_rate,
    cast(RATIO(hard_bounced, sent) as decimal(18, 6)) as hard_bounce_rate,
    cast(RATIO(soft_bounced, sent) as decimal(18, 6)) as soft_bounce_rate,
    complaint_rate,
    cast(RATIO(unsubscribed, delivered) as decimal(18, 6)) as unsubscribe_rate,
    case
        when delivered < {{ judged_from }} then 'too_few'
        when complaint_rate >= {{ critical_from }} then 'critical'
        when complaint_rate >= {{ warn_from }} then 'warning'
        else 'good'
    end as status
from rated
