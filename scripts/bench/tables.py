"""Raw tables of a shop with so many contacts, made set-based: the same rows at every run.

The shares are those of the sandbox: of `n` contacts a half has a shop account, a third stands in the
CRM (some in both), the rest is known by an address. A year and a half of orders, half a year of events.
"""

from __future__ import annotations

# `draw(i, salt, n)`: a number below n; `ago(i, salt, days)`: a moment within the last days.
# Persons are numbered; those below `shop` have an account, those from `crm_from` on a CRM record.
MACROS = """
    create macro draw(i, salt, n) as cast(hash(i, salt) % cast(n as bigint) as bigint);
    create macro pick(i, salt, list) as list[1 + draw(i, salt, len(list))];
    create macro ago(i, salt, days) as as_of() - to_seconds(1 + draw(i, salt, days * 86400));
    create macro address(person) as
        'person' || person || '@' || pick(person, 'domain', ['example.com', 'example.org', 'mail.example']);
    create macro first_name(person) as pick(person, 'first', ['Ada', 'Jörg', 'Marie', 'Sinéad', 'Tom']);
    create macro last_name(person) as pick(person, 'last', ['Meyer', 'Yılmaz', 'O''Brien', 'Weiß', 'Smith']);
    create macro money(i, salt) as cast((500 + draw(i, salt, 12000)) / 100 as decimal(18, 2));
    create macro gid(kind, i) as 'gid://shopify/' || kind || '/' || i;
    create macro contact(person) as case
        when person < shop() then 'shop-' || person
        when person < crm_from() + crm() then 'crm-' || person
        else 'mail-' || md5(address(person))
    end;
"""

TABLES = {
    # Every fifth account is there twice: touched, and read again.
    "shop_customers": """
        select
            gid('Customer', person) as customer_id,
            ago(person, 'born', 540) as created_at,
            case when i < shop() then created_at else ago(i, 'touched', 30) end as updated_at,
            first_name(person) as first_name,
            last_name(person) as last_name,
            address(person) as email,
            pick(person, 'state', ['SUBSCRIBED', 'SUBSCRIBED', 'SUBSCRIBED', 'PENDING', 'UNSUBSCRIBED',
                'NOT_SUBSCRIBED']) as email_marketing_state,
            pick(person, 'level', ['CONFIRMED_OPT_IN', 'SINGLE_OPT_IN']) as email_marketing_opt_in_level,
            created_at as email_marketing_updated_at,
            true as email_valid_format,
            pick(person, 'locale', ['de-DE', 'en-GB']) as locale,
            '10115' as zip,
            'Berlin' as city,
            pick(person, 'country', ['DE', 'DE', 'AT', 'GB']) as country_code,
            i + 1 as _line
        from (
            select i, case when i < shop() then i else (i - shop()) * 5 end as person
            from range(shop() + shop() // 5) as t(i)
        )
    """,
    # A square makes few people buy much; every twelfth order is a guest's.
    "shop_orders": """
        select
            gid('Order', i) as order_id,
            '#' || (1000 + i) as order_name,
            case when i % 12 > 0 then gid('Customer', person) end as customer_id,
            address(person) as email,
            ago(i, 'ordered', 540) as created_at,
            created_at as processed_at,
            created_at + interval '1 minute' as updated_at,
            case when i % 50 = 0 then created_at + interval '10 seconds' end as cancelled_at,
            false as is_test,
            'EUR' as currency,
            money(i, 'total') as subtotal_amount,
            0 as discount_amount,
            4.90 as shipping_amount,
            0.19 * subtotal_amount as tax_amount,
            4.90 + subtotal_amount as total_amount,
            0 as refunded_amount,
            'PAID' as financial_status,
            'FULFILLED' as fulfillment_status,
            i + 1 as _line
        from (
            select
                i,
                case
                    when i % 12 > 0 then cast(floor(shop() * pow(draw(i, 'who', 1000000) / 1e6, 2)) as bigint)
                    else n() - 1 - draw(i, 'who', n() // 6 + 1)
                end as person
            from range(n()) as t(i)
        )
    """,
    "shop_order_lines": """
        select
            gid('LineItem', 2 * i + place) as order_line_id,
            gid('Order', i) as order_id,
            ago(i, 'ordered', 540) + interval '1 minute' as order_updated_at,
            gid('Product', draw(i, place, 1000)) as product_id,
            gid('ProductVariant', draw(i, place, 1000)) as variant_id,
            'SKU-' || draw(i, place, 1000) as sku,
            'Thing number ' || draw(i, place, 1000) as title,
            1 + draw(i, 'quantity', 3) as quantity,
            quantity as current_quantity,
            money(i, place) as unit_amount,
            0 as discount_amount,
            i + 1 as _line,
            place as _child
        from range(n()) as t(i), range(1, 3) as p(place)
    """,
    "shop_fulfillments": """
        select
            gid('Fulfillment', i) as fulfillment_id,
            gid('Order', i) as order_id,
            ago(i, 'ordered', 540) + interval '1 minute' as order_updated_at,
            order_updated_at as created_at,
            case when order_updated_at + interval '3 days' < as_of()
                then order_updated_at + interval '3 days' end as delivered_at,
            'SUCCESS' as status,
            i + 1 as _line,
            1 as _child
        from range(n()) as t(i)
    """,
    "shop_refunds": """
        select
            gid('Refund', i) as refund_id,
            gid('Order', i * 20) as order_id,
            least(
                as_of() - interval '1 second', ago(i * 20, 'ordered', 540) + interval '5 days'
            ) as created_at,
            created_at as updated_at,
            money(i * 20, 1) as refunded_amount,
            i + 1 as _line
        from range(n() // 20) as t(i)
    """,
    "shop_refund_lines": """
        select
            gid('RefundLineItem', i) as refund_line_id,
            gid('Refund', i) as refund_id,
            as_of() as refund_updated_at,
            gid('LineItem', 2 * i * 20 + 1) as order_line_id,
            1 as quantity,
            money(i * 20, 1) as refunded_amount,
            i + 1 as _line,
            1 as _child
        from range(n() // 20) as t(i)
    """,
    "shop_products": """
        select
            gid('Product', i) as product_id,
            'Thing number ' || i as title,
            'thing' as product_type,
            'Kreislauf' as vendor,
            'ACTIVE' as status,
            'thing-' || i as handle,
            as_of() - interval '600 days' as created_at,
            created_at as updated_at,
            'https://shop.example/products/thing-' || i as url,
            'https://shop.example/pictures/' || i || '.png' as image_url,
            money(i, 'price') as unit_amount,
            i + 1 as _line
        from range(1000) as t(i)
    """,
    "shop_checkouts": """
        select
            gid('AbandonedCheckout', i) as checkout_id,
            ago(i, 'cart', 60) as created_at,
            created_at as updated_at,
            case when i % 3 = 0 then created_at + interval '20 minutes' end as completed_at,
            gid('Customer', draw(i, 'cart', shop())) as customer_id,
            'https://shop.example/carts/' || i as url,
            'EUR' as currency,
            money(i, 'cart') as total_amount,
            i + 1 as _line
        from range(n() // 10) as t(i)
    """,
    "shop_checkout_lines": """
        select
            gid('AbandonedCheckoutLineItem', 2 * i + place) as checkout_line_id,
            gid('AbandonedCheckout', i) as checkout_id,
            ago(i, 'cart', 60) as checkout_updated_at,
            gid('Product', draw(i, place, 1000)) as product_id,
            'Thing number ' || draw(i, place, 1000) as title,
            1 as quantity,
            money(i, place) as unit_amount,
            i + 1 as _line,
            place as _child
        from range(n() // 10) as t(i), range(1, 3) as p(place)
    """,
    "crm_contacts": """
        select
            cast(person as varchar) as crm_contact_id,
            ago(person, 'lead', 540) as created_at,
            created_at as updated_at,
            false as is_archived,
            address(person) as email,
            first_name(person) as first_name,
            last_name(person) as last_name,
            pick(person, 'title', ['Frau', 'Herr']) as salutation,
            pick(person, 'job', ['Head of Procurement', 'Einkauf', 'Office Manager', 'Intern']) as job_title,
            'Company ' || draw(person, 'company', n() // 30 + 1) as company_name,
            cast(draw(person, 'company', n() // 30 + 1) as varchar) as company_id,
            'Berlin' as city,
            pick(person, 'country', ['Germany', 'Germany', 'Austria', 'United Kingdom']) as country,
            pick(person, 'locale', ['de', 'en']) as language,
            pick(person, 'stage', ['lead', 'subscriber', 'opportunity', 'customer']) as lifecycle_stage,
            cast(draw(person, 'owner', 10) as varchar) as owner_id,
            person % 40 = 0 as has_opted_out,
            person + 1 as _line
        from range(crm_from(), crm_from() + crm()) as t(person)
    """,
    "crm_companies": """
        select
            cast(i as varchar) as company_id,
            as_of() - interval '600 days' as created_at,
            created_at as updated_at,
            false as is_archived,
            'Company ' || i as company_name,
            'company' || i || '.example' as domain,
            draw(i, 'employees', 500) as employees,
            i + 1 as _line
        from range(n() // 30 + 1) as t(i)
    """,
    "crm_deals": """
        select
            cast(i as varchar) as deal_id,
            ago(i, 'deal', 300) as created_at,
            created_at as updated_at,
            false as is_archived,
            'Deal ' || i as deal_name,
            pick(i, 'deal', ['qualifiedtobuy', 'contractsent', 'closedwon', 'closedlost']) as deal_stage,
            'default' as pipeline,
            money(i, 'deal') as amount,
            'EUR' as currency,
            i + 1 as _line
        from range(n() // 10) as t(i)
    """,
    "crm_deal_contacts": """
        select
            cast(i as varchar) as deal_id,
            ago(i, 'deal', 300) as deal_updated_at,
            cast(crm_from() + draw(i, 'deal of', crm()) as varchar) as crm_contact_id,
            i + 1 as _line,
            1 as _child
        from range(n() // 10) as t(i)
    """,
    "crm_owners": """
        select
            cast(i as varchar) as owner_id,
            as_of() - interval '600 days' as updated_at,
            'owner' || i || '@example.com' as email,
            false as is_archived,
            i + 1 as _line
        from range(10) as t(i)
    """,
    "crm_notes": """
        select
            cast(i as varchar) as note_id,
            ago(i, 'note', 180) as created_at,
            created_at as updated_at,
            false as is_archived,
            created_at as noted_at,
            'Asked for the catalogue.' as body,
            i + 1 as _line
        from range(n() // 20) as t(i)
    """,
    "crm_note_contacts": """
        select
            cast(i as varchar) as note_id,
            ago(i, 'note', 180) as note_updated_at,
            cast(crm_from() + draw(i, 'note of', crm()) as varchar) as crm_contact_id,
            i + 1 as _line,
            1 as _child
        from range(n() // 20) as t(i)
    """,
    # Who has no account and no CRM record signs up; four other events in ten tell only the browser.
    "site_events": """
        select
            'site-' || i as event_id,
            ago(i, 'visit', 180) as occurred_at,
            pick(i, 'visit', ['page_view', 'page_view', 'page_view', 'product_view', 'product_view',
                'product_view', 'cart_add', 'search', 'content_download', 'form_submit']) as event_type,
            'visitor-' || person as visitor_id,
            case when person < shop() and i % 10 < 5 then gid('Customer', person) end as customer_id,
            case when i % 10 = 5 or is_sign_up then address(person) end as email,
            'https://shop.example/products/thing-' || draw(i, 'seen', 1000) as url,
            case when event_type in ('product_view', 'cart_add')
                then gid('Product', draw(i, 'seen', 1000)) end as product_id,
            case when event_type = 'content_download' then 'guide-' || draw(i, 'seen', 20) end as content_id,
            case when event_type in ('content_download', 'form_submit')
                then pick(i, 'topic', ['kitchen', 'office', 'newsletter']) end as topic,
            case when event_type <> 'search' then 5 + draw(i, 'stayed', 300) end as seconds_on_page,
            pick(i, 'from', ['google', 'meta', 'newsletter', null, null]) as utm_source,
            pick(i, 'from', ['cpc', 'social', 'email', null, null]) as utm_medium,
            case when i % 10 = 0 then 'flow_welcome' when i % 10 = 1 then 'brand_search' end as utm_campaign,
            i - first() + 1 as _line
        from (
            select
                i,
                i >= crm_from() + crm() and i < n() as is_sign_up,
                case
                    when is_sign_up then i
                    else cast(floor(n() * pow(draw(i, 'who', 1000000) / 1e6, 2)) as bigint)
                end as person
            from range(first(), first() + site()) as t(i)
        )
    """,
    # Every twentieth event is a form or a survey with two answers.
    "site_answers": """
        select
            'site-' || i as event_id,
            ago(i, 'visit', 180) as occurred_at,
            pick(i, place, ['satisfaction', 'interest', 'timeframe', 'role']) as question,
            case question
                when 'satisfaction' then cast(1 + draw(i, 'pleased', 10) as varchar)
                when 'interest' then pick(i, 'likes', ['tea', 'coffee', 'gifts', 'business'])
                when 'timeframe' then pick(i, 'when', ['now', 'quarter', 'later'])
                else pick(i, 'role', ['decides', 'recommends', 'uses'])
            end as answer,
            i - first() + 1 as _line,
            place as _child
        from range(first(), first() + site(), 20) as t(i), range(1, 3) as p(place)
    """,
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
            address(draw(message, 'to', n())) as email,
            md5('message ' || message) as message_key,
            'batch-' || message // 1000 as batch_id,
            'provider-' || message // 1000 || '.' || message as provider_message_id,
            case when event_type = 'click' then 'https://shop.example/?utm_content=btn01' end as url,
            case when event_type = 'bounce'
                then pick(message, 'bounce', ['bounce', 'blocked']) end as bounce_type,
            event_type = 'open' and i % 3 = 0 as is_machine_open,
            i - first() + 1 as _line
        from (select i, i % n() as message, i // n() as round from range(first(), first() + mail()) as t(i))
        where occurred_at < as_of()
    """,
    "ledger_messages": """
        select
            md5('message ' || i) as message_key,
            pick(i, 'flow', ['flow_welcome', 'flow_abandoned_cart', 'campaign_newsletter']) as flow,
            'hello' as step,
            '' as variant,
            contact(draw(i, 'to', n())) as contact_id,
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
            pick(i, 'flow', ['flow_welcome', 'flow_abandoned_cart', 'campaign_newsletter']) as flow,
            'hello' as step,
            contact(draw(i, 'to', n())) as contact_id,
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
