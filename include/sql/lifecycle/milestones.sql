-- Since when and until when a contact is active, asks, wants, buys: what the funnels are made of.
-- owner: crm
-- grain: contact_id
-- answers: Since when is this person interested? When did it buy first, and when again?
{% set touch_lasts = "91 days" %}
{% set purchase_lasts = "366 days" %}
{% set forever = "9999-12-31 00:00:00" %}
with contacts as (
    select * from core.contacts
),

subscriptions as (
    select * from core.subscriptions
),

touches as (
    select
        contact_id,
        occurred_at,
        type in ('product_view', 'search') as shows_interest,
        -- Signing up for the newsletter is a subscription, and no question to us.
        type = 'content_download'
        or (type = 'form_submit' and coalesce(topic, '') <> 'newsletter') as asks,
        type = 'cart_add' as wants,
        type in ('open', 'click') as answers
    from core.touchpoints
    where
        contact_id is not null
        and not is_machine
        and type in (
            'page_view',
            'product_view',
            'search',
            'content_download',
            'form_submit',
            'survey',
            'cart_add',
            'open',
            'click'
        )
),

orders as (
    select
        contact_id,
        ordered_at
    from core.orders
    where is_valid and net_amount > 0
),

referrals as (
    select
        referred_by,
        min(occurred_at) as first_at
    from staging.site_events
    where coalesce(customer_id, '') <> referred_by
    group by referred_by
),

contact_keys as (
    select * from core.contact_keys
    where source = 'shop'
),

evangelists as (
    select * from lifecycle.stage_evidence
    where stage = 'evangelist'
),

subscribed as (
    select
        contact_id,
        min(started_at) as first_at,
        case when count(*) = count(ended_at) then max(ended_at) end as ended_at
    from subscriptions
    group by contact_id
),

touched as (
    select
        contact_id,
        min(occurred_at) as first_at,
        max(occurred_at) as last_at,
        min(case when shows_interest then occurred_at end) as first_interest_at,
        max(case when shows_interest then occurred_at end) as last_interest_at,
        min(case when asks then occurred_at end) as first_question_at,
        max(case when asks then occurred_at end) as last_question_at,
        min(case when wants then occurred_at end) as first_cart_at,
        max(case when wants then occurred_at end) as last_cart_at,
        min(case when answers then occurred_at end) as first_answer_at,
        max(case when answers then occurred_at end) as last_answer_at
    from touches
    group by contact_id
),

bought as (
    select
        contact_id,
        min(ordered_at) as first_at,
        max(ordered_at) as last_at
    from orders
    group by contact_id
),

bought_again as (
    select
        orders.contact_id,
        min(orders.ordered_at) as first_at
    from orders
    inner join bought on orders.contact_id = bought.contact_id
    where orders.ordered_at > bought.first_at
    group by orders.contact_id
),

recommendations as (
    select
        contact_keys.contact_id,
        referrals.first_at
    from referrals
    inner join contact_keys on referrals.referred_by = contact_keys.source_id
    union all
    select
        contact_id,
        entered_at as first_at
    from evangelists
),

recommended as (
    select
        contact_id,
        min(first_at) as first_at
    from recommendations
    group by contact_id
)

-- NULL is what has not begun; the year 9999 is what does not end by itself. What lapses holds for
-- its day and 90 or 365 more, to midnight. A silence that has ended leaves no trace: who comes back
-- goes on where it stood.
select
    contacts.contact_id,
    contacts.created_at as known_from,
    timestamp '{{ forever }}' as known_until,
    subscribed.first_at as subscribed_from,
    case
        when subscribed.first_at is not null
            then coalesce(subscribed.ended_at, timestamp '{{ forever }}')
    end as subscribed_until,
    touched.first_at as active_from,
    date_trunc('day', touched.last_at) + interval '{{ touch_lasts }}' as active_until,
    touched.first_answer_at as answering_from,
    date_trunc('day', touched.last_answer_at) + interval '{{ touch_lasts }}' as answering_until,
    touched.first_interest_at as interested_from,
    date_trunc('day', touched.last_interest_at) + interval '{{ touch_lasts }}' as interested_until,
    touched.first_question_at as informed_from,
    date_trunc('day', touched.last_question_at) + interval '{{ touch_lasts }}' as informed_until,
    touched.first_cart_at as wanting_from,
    date_trunc('day', touched.last_cart_at) + interval '{{ touch_lasts }}' as wanting_until,
    bought.first_at as buyer_from,
    date_trunc('day', bought.last_at) + interval '{{ purchase_lasts }}' as buyer_until,
    bought_again.first_at as regular_from,
    case
        when bought_again.first_at is not null
            then date_trunc('day', bought.last_at) + interval '{{ purchase_lasts }}'
    end as regular_until,
    recommended.first_at as advocate_from,
    case
        when recommended.first_at is not null then timestamp '{{ forever }}'
    end as advocate_until
from contacts
left join subscribed on contacts.contact_id = subscribed.contact_id
left join touched on contacts.contact_id = touched.contact_id
left join bought on contacts.contact_id = bought.contact_id
left join bought_again on contacts.contact_id = bought_again.contact_id
left join recommended on contacts.contact_id = recommended.contact_id
