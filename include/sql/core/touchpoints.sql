-- Every touch between a person and us: on the site, by mail, text or notification, in the CRM. A
-- machine's are marked.
-- answers: What happened between us and this person?
-- owner: crm
-- grain: touchpoint_id
with site_touchpoints as (
    select * from core.site_touchpoints
),

mail_touchpoints as (
    select * from core.mail_touchpoints
),

channel_touchpoints as (
    select * from core.channel_touchpoints
),

crm_touchpoints as (
    select * from core.crm_touchpoints
)

select
    touchpoint_id,
    occurred_at,
    'site' as channel,
    type,
    contact_id,
    false as is_machine,
    cast(null as varchar) as message_key,
    cast(null as varchar) as flow,
    cast(null as varchar) as step,
    url,
    product_id,
    content_id,
    topic,
    campaign
from site_touchpoints
union all
select
    touchpoint_id,
    occurred_at,
    'mail' as channel,
    type,
    contact_id,
    is_machine,
    message_key,
    flow,
    step,
    url,
    cast(null as varchar) as product_id,
    cast(null as varchar) as content_id,
    cast(null as varchar) as topic,
    flow as campaign
from mail_touchpoints
union all
select
    touchpoint_id,
    occurred_at,
    channel,
    type,
    contact_id,
    false as is_machine,
    message_key,
    flow,
    step,
    cast(null as varchar) as url,
    cast(null as varchar) as product_id,
    cast(null as varchar) as content_id,
    cast(null as varchar) as topic,
    flow as campaign
from channel_touchpoints
union all
select
    touchpoint_id,
    occurred_at,
    'crm' as channel,
    type,
    contact_id,
    false as is_machine,
    cast(null as varchar) as message_key,
    cast(null as varchar) as flow,
    cast(null as varchar) as step,
    cast(null as varchar) as url,
    cast(null as varchar) as product_id,
    cast(null as varchar) as content_id,
    cast(null as varchar) as topic,
    cast(null as varchar) as campaign
from crm_touchpoints
