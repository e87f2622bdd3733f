-- Every touch between a person and us: on the site, by mail, in the CRM. A machine's are marked.
-- answers: What happened between us and this person?
-- owner: crm
-- grain: touchpoint_id
{% set click_too_fast = 5 %}
with site_events as (
    select * from staging.site_events
),

mail_events as (
    select * from staging.mail_events
),

messages as (
    -- The ledger keeps the contact_id of its day; the record may have joined an older one since.
    select
        messages.message_key,
        messages.flow,
        messages.step,
        messages.state,
        messages.planned_as_of,
        contact_keys.contact_id
    from staging.ledger_messages as messages
    left join core.contact_keys on messages.contact_id = contact_keys.record_id
),

notes as (
    select * from staging.crm_notes
    where not is_archived and noted_at < {{ as_of }}
),

note_contacts as (
    select * from staging.crm_note_contacts
),

contact_keys as (
    select * from core.contact_keys
),

clicked as (
    select distinct message_key from mail_events
    where event_type = 'click'
),

delivered as (
    -- Few messages are clicked, and only of those it matters.
    select
        mail_events.message_key,
        min(mail_events.occurred_at) as delivered_at
    from mail_events
    inner join clicked on mail_events.message_key = clicked.message_key
    where mail_events.event_type = 'delivered'
    group by mail_events.message_key
),

site_touches as (
    select
        'site-' || site_events.event_id as touchpoint_id,
        site_events.occurred_at,
        'site' as channel,
        site_events.event_type as type,
        coalesce(
            by_customer.contact_id, by_address.contact_id, by_visitor.contact_id
        ) as contact_id,
        false as is_machine,
        cast(null as varchar) as message_key,
        cast(null as varchar) as flow,
        cast(null as varchar) as step,
        site_events.url,
        site_events.product_id,
        site_events.content_id,
        coalesce(site_events.topic, site_events.search_query) as topic,
        site_events.utm_campaign as campaign
    from site_events
    left join contact_keys as by_customer
        on by_customer.source = 'shop' and site_events.customer_id = by_customer.source_id
    left join contact_keys as by_address
        on by_address.source = 'mail' and site_events.email = by_address.source_id
    left join contact_keys as by_visitor
        on by_visitor.source = 'visitor' and site_events.visitor_id = by_visitor.source_id
),

mail_touches as (
    select
        'mail-' || mail_events.event_id as touchpoint_id,
        mail_events.occurred_at,
        'mail' as channel,
        mail_events.event_type as type,
        coalesce(by_address.contact_id, messages.contact_id) as contact_id,
        -- Security scanners follow a link before a person can have read the mail.
        coalesce(
            mail_events.is_machine_open
            or (
                mail_events.event_type = 'click'
                and SECONDS_BETWEEN(delivered.delivered_at, mail_events.occurred_at)
                < {{ click_too_fast }}
            ),
            false
        ) as is_machine,
        mail_events.message_key,
        messages.flow,
        messages.step,
        mail_events.url,
        cast(null as varchar) as product_id,
        cast(null as varchar) as content_id,
        cast(null as varchar) as topic,
        messages.flow as campaign
    from mail_events
    left join messages on mail_events.message_key = messages.message_key
    left join delivered
        on mail_events.event_type = 'click' and mail_events.message_key = delivered.message_key
    left join contact_keys as by_address
        on by_address.source = 'mail' and mail_events.email = by_address.source_id
),

sent_touches as (
    select
        'sent-' || messages.message_key as touchpoint_id,
        messages.planned_as_of as occurred_at,
        'mail' as channel,
        'sent' as type,
        messages.contact_id,
        false as is_machine,
        messages.message_key,
        messages.flow,
        messages.step,
        cast(null as varchar) as url,
        cast(null as varchar) as product_id,
        cast(null as varchar) as content_id,
        cast(null as varchar) as topic,
        messages.flow as campaign
    from messages
    where messages.state = 'accepted'
),

note_touches as (
    select
        'note-' || notes.note_id || '-' || note_contacts.crm_contact_id as touchpoint_id,
        notes.noted_at as occurred_at,
        'crm' as channel,
        'note' as type,
        contact_keys.contact_id,
        false as is_machine,
        cast(null as varchar) as message_key,
        cast(null as varchar) as flow,
        cast(null as varchar) as step,
        cast(null as varchar) as url,
        cast(null as varchar) as product_id,
        cast(null as varchar) as content_id,
        cast(null as varchar) as topic,
        cast(null as varchar) as campaign
    from notes
    inner join note_contacts on notes.note_id = note_contacts.note_id
    left join contact_keys
        on contact_keys.source = 'crm' and note_contacts.crm_contact_id = contact_keys.source_id
),

touches as (
    select * from site_touches
    union all
    select * from mail_touches
    union all
    select * from sent_touches
    union all
    select * from note_touches
)

select
    touchpoint_id,
    occurred_at,
    channel,
    type,
    contact_id,
    is_machine,
    message_key,
    flow,
    step,
    url,
    product_id,
    content_id,
    topic,
    campaign
from touches
