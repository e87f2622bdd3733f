-- How engaged each contact is over all channels, 0 to 100: what it was sent, what it did, and when
-- last. A visit is a day on the site; machines do not engage.
-- answers: How engaged is each contact, and when was it last?
-- owner: crm
-- grain: contact_id
{% set mail_share = 40 %}
{% set site_share = 30 %}
{% set shop_share = 20 %}
{% set crm_share = 10 %}
with contacts as (
    select contact_id from core.contacts
    where not is_archived
),

channels as (
    select * from scores.channel_engagement
),

summed as (
    select
        contact_id,
        max(case when channel = 'mail' then score else 0 end) as mail_score,
        max(case when channel = 'site' then score else 0 end) as site_score,
        max(case when channel = 'shop' then score else 0 end) as shop_score,
        max(case when channel = 'crm' then score else 0 end) as crm_score,
        sum(sent_30d) as sent_30d,
        sum(sent_90d) as sent_90d,
        sum(sent_180d) as sent_180d,
        sum(sent) as sent,
        sum(opens_30d) as opens_30d,
        sum(opens_90d) as opens_90d,
        sum(opens_180d) as opens_180d,
        sum(opens) as opens,
        sum(clicks_30d) as clicks_30d,
        sum(clicks_90d) as clicks_90d,
        sum(clicks_180d) as clicks_180d,
        sum(clicks) as clicks,
        sum(machine_opens_90d) as machine_opens_90d,
        sum(machine_clicks_90d) as machine_clicks_90d,
        sum(case when channel = 'site' then actions_30d else 0 end) as visits_30d,
        sum(case when channel = 'site' then actions_90d else 0 end) as visits_90d,
        sum(case when channel = 'site' then actions_180d else 0 end) as visits_180d,
        min(first_sent_at) as first_sent_at,
        max(last_sent_at) as last_sent_at,
        max(last_open_at) as last_open_at,
        max(last_click_at) as last_click_at,
        max(case when channel = 'site' then last_action_at end) as last_visit_at,
        max(case when channel = 'shop' then last_action_at end) as last_order_at,
        max(last_action_at) as last_engaged_at
    from channels
    group by contact_id
)

select
    contacts.contact_id,
    cast(
        0.01 * coalesce(
            {{ mail_share }} * summed.mail_score
            + {{ site_share }} * summed.site_score
            + {{ shop_share }} * summed.shop_score
            + {{ crm_share }} * summed.crm_score,
            0
        ) as decimal(18, 6)
    ) as score,
    -- Of equals, the channel that costs least.
    case greatest(
        summed.mail_score, summed.site_score, summed.shop_score, summed.crm_score, 0
    )
        when 0 then null
        when summed.mail_score then 'mail'
        when summed.site_score then 'site'
        when summed.shop_score then 'shop'
        else 'crm'
    end as best_channel,
    cast(coalesce(summed.sent_30d, 0) as bigint) as sent_30d,
    cast(coalesce(summed.sent_90d, 0) as bigint) as sent_90d,
    cast(coalesce(summed.sent_180d, 0) as bigint) as sent_180d,
    cast(coalesce(summed.sent, 0) as bigint) as sent,
    cast(coalesce(summed.opens_30d, 0) as bigint) as opens_30d,
    cast(coalesce(summed.opens_90d, 0) as bigint) as opens_90d,
    cast(coalesce(summed.opens_180d, 0) as bigint) as opens_180d,
    cast(coalesce(summed.opens, 0) as bigint) as opens,
    cast(coalesce(summed.clicks_30d, 0) as bigint) as clicks_30d,
    cast(coalesce(summed.clicks_90d, 0) as bigint) as clicks_90d,
    cast(coalesce(summed.clicks_180d, 0) as bigint) as clicks_180d,
    cast(coalesce(summed.clicks, 0) as bigint) as clicks,
    cast(coalesce(summed.machine_opens_90d, 0) as bigint) as machine_opens_90d,
    cast(coalesce(summed.machine_clicks_90d, 0) as bigint) as machine_clicks_90d,
    cast(coalesce(summed.visits_30d, 0) as bigint) as visits_30d,
    cast(coalesce(summed.visits_90d, 0) as bigint) as visits_90d,
    cast(coalesce(summed.visits_180d, 0) as bigint) as visits_180d,
    summed.first_sent_at,
    summed.last_sent_at,
    summed.last_open_at,
    summed.last_click_at,
    summed.last_visit_at,
    summed.last_order_at,
    summed.last_engaged_at
from contacts
left join summed on contacts.contact_id = summed.contact_id
