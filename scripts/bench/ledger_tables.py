"""Raw tables of what was sent and what came of it, and of the files, made set-based as in `tables`."""

from __future__ import annotations

MACROS = """
    create macro flow_of(message) as pick(message, 'flow', ['flow_welcome', 'flow_abandoned_cart',
        'flow_ambassadors', 'flow_sunset', 'flow_reengagement', 'campaign_newsletter',
        'campaign_newsletter', 'campaign_newsletter', 'campaign_newsletter', 'campaign_newsletter']);
"""

TABLES = {
    # Each message was processed and delivered (one in fifty bounced); half of them led to something.
    "mail_events": """
        select
            'mail-' || i as event_id,
            ago(message, 'sent', 180) + to_seconds(60 * round + draw(i, 'later', 50)) as occurred_at,
            case
                when round = 0 then 'processed'
                when round = 1 then case when message % 50 = 0 then 'bounce' else 'delivered' end
                else pick(i, 'reaction', ['open', 'open', 'open', 'open', 'click', 'click', 'open', 'open',
                    'open', case when i % 7 = 0 then 'unsubscribe' else 'click' end])
            end as event_type,
            address(recipient(message)) as email,
            md5('message ' || message) as message_key,
            'batch-' || message // 1000 as batch_id,
            'provider-' || message // 1000 || '.' || message as provider_message_id,
            case when event_type = 'click' then case
                when flow_of(message) = 'flow_ambassadors' then 'https://shop.example/ambassadors'
                else 'https://shop.example/?utm_content=btn01'
            end end as url,
            case when event_type = 'bounce'
                then pick(message, 'bounce', ['bounce', 'blocked']) end as bounce_type,
            event_type = 'open' and i % 3 = 0 as is_machine_open,
            i - first() + 1 as _line
        from (select i, i % n() as message, i // n() as round from range(first(), first() + mail()) as t(i))
        where occurred_at < as_of() and (round < 2 or recipient(message) % 24 <> 8)
    """,
    "ledger_messages": """
        select
            md5('message ' || i) as message_key,
            flow_of(i) as flow,
            'hello' as step,
            '' as variant,
            'email' as channel,
            contact(recipient(i)) as contact_id,
            'occurrence-' || i as occurrence_id,
            'batch-' || i // 1000 as batch_id,
            'accepted' as state,
            ago(i, 'sent', 180) as planned_as_of,
            planned_as_of as answered_at,
            planned_as_of as updated_at,
            i + 1 as _line
        from range(n()) as t(i)
    """,
    "ledger_decisions": """
        select
            cast(i as varchar) as decision_id,
            flow_of(i) as flow,
            'hello' as step,
            contact(recipient(i)) as contact_id,
            'occurrence-' || i as occurrence_id,
            '' as variant,
            case when i < n() then 'planned' else pick(i, 'why', ['expired', 'no_consent']) end as reason,
            ago(i, 'sent', 180) as as_of,
            as_of as updated_at,
            i + 1 as _line
        from range(n() + n() // 5) as t(i)
    """,
    "ledger_suppressions": """
        select
            cast(i as varchar) as suppression_id,
            address(draw(i, 'suppressed', n())) as email,
            'email' as channel,
            'all' as topic,
            pick(i, 'why', ['hard_bounce', 'opt_out', 'complaint']) as reason,
            'event-' || i as source,
            ago(i, 'suppressed', 180) as created_at,
            created_at as updated_at,
            i + 1 as _line
        from range(n() // 100) as t(i)
    """,
    # Every tenth message has a link of its own kind of mail; there are as many kinds as flows.
    "ledger_links": """
        select
            'flow_' || i as flow,
            'hello' as step,
            '' as variant,
            pick(i, 'language', ['de', 'en']) as language,
            'version-1' as template_version,
            'btn0' || slot as slot,
            'content' as kind,
            'https://shop.example/products/thing-' || i as target,
            'See it' as label,
            as_of() - interval '180 days' as updated_at,
            3 * i + slot as _line
        from range(100) as t(i), range(1, 4) as s(slot)
    """,
    # Notifications and overlays that were shown, and some that were followed.
    "ledger_events": """
        select
            'event-' || i as event_id,
            pick(i, 'shown', ['delivered', 'delivered', 'delivered', 'click', 'bounce']) as event_type,
            case when event_type = 'bounce' then 'blocked' end as bounce_type,
            md5('message ' || draw(i, 'shown', n())) as message_key,
            ago(i, 'shown', 180) as occurred_at,
            occurred_at as updated_at,
            i + 1 as _line
        from range(n() // 10) as t(i)
    """,
    # Who asked for something to read confirmed the address.
    "ledger_consents": """
        select
            cast(i as varchar) as consent_id,
            address(awake(draw(i, 'confirmed', n()))) as address,
            contact(awake(draw(i, 'confirmed', n()))) as contact_id,
            'email' as channel,
            'marketing' as topic,
            'granted' as state,
            'consent_doi' as basis,
            ago(i, 'confirmed', 60) as occurred_at,
            occurred_at as updated_at,
            i + 1 as _line
        from range(n() // 10) as t(i)
    """,
    "ledger_push_subscriptions": """
        select
            'push-' || i as subscription_id,
            'visitor-' || awake(draw(i, 'notified', n())) as visitor_id,
            ago(i, 'notified', 180) as created_at,
            case when i % 10 = 0 then as_of() - interval '1 hour' end as revoked_at,
            coalesce(revoked_at, created_at) as updated_at,
            i + 1 as _line
        from range(n() // 20) as t(i)
    """,
    # Some of those who were put to sleep have shown up since.
    "ledger_audience_members": """
        select
            case when i % 4 = 0 then 'ambassadors' else 'sunset' end as audience,
            contact(8 * i) as contact_id,
            ago(i, 'entered', 90) as entered_at,
            case when i % 5 = 0 then as_of() - interval '1 hour' end as left_at,
            coalesce(left_at, entered_at) as updated_at,
            i + 1 as _line
        from range(n() // 100) as t(i)
    """,
    # Those with many followers were found in a build of the last month.
    "membership_changes": """
        select
            contact(person) as record_id,
            'segment' as kind,
            'ambassadors' as name,
            ago(person, 'found', 30) as as_of,
            1 as change,
            person + 1 as _line
        from range(crm_from(), crm_from() + crm()) as t(person)
        where person % 100 = 0
    """,
    # A new shop in a town, and a release for those who own a thing of its kind.
    "announcements": """
        select
            'announcement-' || i as announcement_id,
            ['store', 'release'][1 + i] as kind,
            ['A shop in Hamburg', 'A new grinder'][1 + i] as title,
            'Come and see.' as description,
            case when i = 0 then as_of() + interval '20 days' end as starts_at,
            as_of() - interval '1 day' as announced_at,
            case when i = 0 then 'Hamburg' end as city,
            case when i = 0 then 'DE' end as country,
            case when i = 1 then 'Coffee gear' end as product_type,
            'https://shop.example/news/' || i as url,
            'https://shop.example/pictures/news.png' as image_url,
            i + 1 as _line
        from range(2) as t(i)
    """,
    "ad_spend": """
        select
            cast(as_of() - to_days(cast(1 + i // 3 as integer)) as date) as day,
            ['google', 'meta', 'linkedin'][1 + i % 3] as platform,
            ['brand_search', 'gift_season', 'office_coffee'][1 + i % 3] as campaign,
            'EUR' as currency,
            money(i, 'ads') as amount,
            draw(i, 'shown', 100000) as impressions,
            draw(i, 'clicked', 1000) as clicks,
            i + 1 as _line
        from range(1080) as t(i)
    """,
    "postal_returns": """
        select
            'return-' || i as return_id,
            cast(ago(i, 'returned', 300) as date) as returned_on,
            cast(draw(i, 'letter to', shop()) as varchar) as customer_id,
            pick(i, 'why back', ['moved', 'unknown', 'deceased', 'refused']) as reason,
            i + 1 as _line
        from range(n() // 200) as t(i)
    """,
}
