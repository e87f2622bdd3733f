"""Raw tables of a shop with so many contacts, made set-based: the same rows at every run.

The shares are those of the sandbox: of `n` contacts a half has a shop account, a third stands in the
CRM (some in both), the rest is known by an address. A year and a half of orders, half a year of events.
Whatever a flow waits for happens to some of them. `ledger_tables` has what was sent, and the files.
"""

from __future__ import annotations

from scripts.bench import ledger_tables

# `draw(i, salt, n)`: a number below n; `ago(i, salt, days)`: a moment within the last days.
# There are 14,400 full names in 8,200 postcodes, as many as Germany has: hardly anybody shares both by
# chance. But every fiftieth person is `entered` a second time, with another address.
# Persons are numbered; those below `shop` have an account, those from `crm_from` on a CRM record. Every
# eighth gets the newsletter, and of these every third never shows up again: `awake` passes it over.
MACROS = """
    create macro draw(i, salt, n) as cast(hash(i, salt) % cast(n as bigint) as bigint);
    create macro pick(i, salt, list) as list[1 + draw(i, salt, len(list))];
    create macro ago(i, salt, days) as as_of() - to_seconds(1 + draw(i, salt, 86400 * cast(days as bigint)));
    create macro address(person) as
        'person' || person || '@' || pick(person, 'domain', ['example.com', 'example.org', 'mail.example']);
    create macro entered(person) as case when person % 50 = 1 then person - 1 else person end;
    create macro name(person) as draw(entered(person), 'name', 24 * 600);
    create macro first_name(person) as ['Ada', 'Ahmet', 'Anja', 'Ben', 'Carla', 'Emma', 'Fatma', 'Georg',
        'Greta', 'Hans', 'Ines', 'Jan', 'Jörg', 'Karl', 'Lena', 'Marie', 'Nina', 'Olga', 'Paul', 'Renate',
        'Sinéad', 'Tom', 'Uwe', 'Zoë'][1 + name(person) % 24];
    create macro last_name(person) as case name(person) when 0 then 'O''Brien' when 1 then 'Yılmaz' else
        ['Acker', 'Berg', 'Birk', 'Brand', 'Buch', 'Busch', 'Eber', 'Eich', 'Feld', 'Fisch', 'Gold', 'Hart',
            'Hein', 'Hof', 'Holz', 'Kauf', 'Kirch', 'Klein', 'Korn', 'Land', 'Lind', 'Mühl', 'Neu', 'Ober',
            'Reich', 'Rosen', 'Sand', 'Schön', 'Stein', 'Weiß'][1 + name(person) // 24 % 30]
        || ['bach', 'bauer', 'beck', 'berger', 'er', 'felder', 'hardt', 'hofer', 'hoff', 'holz', 'huber',
            'inger', 'kamp', 'mann', 'mayer', 'meier', 'ner', 'schmidt', 'steiner', 'wald'
        ][1 + name(person) // 720]
    end;
    create macro zip(person) as lpad(cast(1067 + 12 * draw(entered(person), 'zip', 8200) as varchar), 5, '0');
    create macro money(i, salt) as cast((500 + draw(i, salt, 12000)) / 100 as decimal(18, 2));
    create macro gid(kind, i) as 'gid://shopify/' || kind || '/' || i;
    create macro contact(person) as case
        when person < shop() then 'shop-' || person
        when person < crm_from() + crm() then 'crm-' || person
        else 'mail-' || md5(address(person))
    end;
    create macro recipient(message) as 8 * draw(message, 'to', n() // 8);
    create macro awake(person) as case when person % 24 = 8 then person - 1 else person end;
    create macro liked(person, i, salt) as draw(4 * person + draw(i, salt, 4), 'likes', 1000);
    create macro buyer(i) as awake(case
        when i % 12 > 0 then cast(floor(shop() * pow(draw(i, 'who', 1000000) / 1e6, 2)) as bigint)
        else n() - 1 - draw(i, 'who', n() // 6 + 1)
    end);
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
            zip(person) as zip,
            pick(person, 'city', ['Berlin', 'Hamburg', 'München', 'Köln', 'Bremen', 'Kiel', 'Jena', 'Ulm'])
                as city,
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
                buyer(i) as person
            from range(n()) as t(i)
        )
    """,
    "shop_order_lines": """
        select
            gid('LineItem', 2 * i + place) as order_line_id,
            gid('Order', i) as order_id,
            ago(i, 'ordered', 540) + interval '1 minute' as order_updated_at,
            gid('Product', product) as product_id,
            gid('ProductVariant', product) as variant_id,
            'SKU-' || product as sku,
            'Thing number ' || product as title,
            1 + draw(i, 'quantity', 3) as quantity,
            quantity as current_quantity,
            money(i, place) as unit_amount,
            0 as discount_amount,
            i + 1 as _line,
            place as _child
        from (
            select
                i,
                place,
                liked(buyer(i), i, place) as product
            from range(n()) as t(i), range(1, 3) as p(place)
        )
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
    # Of every tenth there is a second version of these days: half of them cheaper, half back in stock.
    "shop_products": """
        select
            gid('Product', product) as product_id,
            'Thing number ' || product as title,
            pick(product, 'type', ['Black tea', 'Green tea', 'Herbal tea', 'Coffee', 'Coffee', 'Sweets',
                'Coffee gear', 'Teaware']) as product_type,
            'Kreislauf' as vendor,
            'ACTIVE' as status,
            'thing-' || product as handle,
            as_of() - interval '600 days' as created_at,
            case when i < 1000 then created_at else ago(i, 'changed', 4) end as updated_at,
            'https://shop.example/products/thing-' || product as url,
            'https://shop.example/pictures/' || product || '.png' as image_url,
            case when i >= 1000 and i % 2 = 0 then 0.8 * money(product, 'price')
                else money(product, 'price') end as unit_amount,
            case when i < 1000 and i % 20 = 10 then 0 else 100 end as stock_quantity,
            true as tracks_stock,
            '4.5' as rating,
            draw(product, 'rated', 50) as rating_count,
            case when product_type not in ('Coffee gear', 'Teaware') then 'consumable' end as tags,
            i + 1 as _line
        from (
            select i, case when i < 1000 then i else (i - 1000) * 10 end as product
            from range(1100) as t(i)
        )
    """,
    "shop_checkouts": """
        select
            gid('AbandonedCheckout', i) as checkout_id,
            ago(i, 'cart', 60) as created_at,
            created_at as updated_at,
            case when i % 3 = 0 then created_at + interval '20 minutes' end as completed_at,
            gid('Customer', awake(draw(i, 'cart', shop()))) as customer_id,
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
            gid('Product', product) as product_id,
            'Thing number ' || product as title,
            1 as quantity,
            money(i, place) as unit_amount,
            i + 1 as _line,
            place as _child
        from (
            select
                i,
                place,
                liked(awake(draw(i, 'cart', shop())), i, place) as product
            from range(n() // 10) as t(i), range(1, 3) as p(place)
        )
    """,
    # Dates of all years, one in five with a contract, one in thirty expecting a child or with a small one.
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
            pick(person, 'city', ['Berlin', 'Hamburg', 'München', 'Köln', 'Bremen', 'Kiel', 'Jena', 'Ulm'])
                as city,
            pick(person, 'country', ['Germany', 'Germany', 'Austria', 'United Kingdom']) as country,
            pick(person, 'locale', ['de', 'en']) as language,
            cast(cast(ago(person, 'birthday', 25000) as date) as varchar) as date_of_birth,
            case when person % 2 = 0 then cast(cast(ago(person, 'member', 3000) as date) as varchar) end
                as member_since,
            case when person % 5 = 0
                then cast(cast(ago(person, 'contract', 500) + interval '400 days' as date) as varchar)
            end as contract_end,
            case when person % 30 = 0
                then cast(cast(ago(person, 'baby', 500) + interval '200 days' as date) as varchar)
            end as baby_due,
            case when person % 100 = 0 then 20000 when person % 10 = 0 then 500 end as followers,
            case when person % 4 = 0 then 100 * draw(person, 'budget', 100) end as bant_budget,
            case when person % 4 = 0 then pick(person, 'authority', ['decides', 'recommends', 'uses']) end
                as bant_authority,
            case when person % 4 = 0 then pick(person, 'need', ['high', 'medium', 'low']) end as bant_need,
            case when person % 8 = 0 then pick(person, 'timeframe', ['now', 'quarter', 'year']) end
                as bant_timeframe,
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
    # Four of five tickets are closed, a day after they were opened.
    "crm_tickets": """
        select
            cast(i as varchar) as ticket_id,
            ago(i, 'ticket', 180) as created_at,
            created_at as updated_at,
            false as is_archived,
            'A question about order ' || i as subject,
            pick(i, 'ticket', ['delivery', 'product', 'invoice']) as category,
            case when i % 5 > 0 then least(as_of() - interval '1 second', created_at + interval '1 day') end
                as closed_at,
            cast(draw(i, 'owner', 10) as varchar) as owner_id,
            i + 1 as _line
        from range(n() // 20) as t(i)
    """,
    "crm_ticket_contacts": """
        select
            cast(i as varchar) as ticket_id,
            ago(i, 'ticket', 180) as ticket_updated_at,
            cast(crm_from() + draw(i, 'ticket of', crm()) as varchar) as crm_contact_id,
            i + 1 as _line,
            1 as _child
        from range(n() // 20) as t(i)
    """,
    # Who has no account and no CRM record signs up; four other events in ten tell only the browser.
    "site_events": """
        select
            'site-' || i as event_id,
            ago(i, 'visit', 180) as occurred_at,
            pick(i, 'visit', ['page_view', 'page_view', 'page_view', 'page_view', 'page_view', 'page_view',
                'product_view', 'product_view', 'product_view', 'product_view', 'product_view',
                'product_view', 'cart_add', 'wish', 'search', 'search', 'content_download',
                'form_submit', 'form_submit', 'exit_intent']) as event_type,
            'visitor-' || person as visitor_id,
            case when person < shop() and i % 10 < 5 then gid('Customer', person) end as customer_id,
            case when i % 10 = 5 or is_sign_up then address(person) end as email,
            'https://shop.example/products/thing-' || liked(person, i, 'seen') as url,
            case when event_type in ('product_view', 'cart_add', 'wish')
                then gid('Product', liked(person, i, 'seen')) end as product_id,
            case when event_type in ('content_download', 'form_submit')
                then pick(i, 'seen', contents()) end as content_id,
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
                    else awake(cast(floor(n() * pow(draw(i, 'who', 1000000) / 1e6, 2)) as bigint))
                end as person
            from range(first(), first() + site()) as t(i)
        )
    """,
    # Every twentieth event is a form or a survey with two answers.
    "site_answers": """
        select
            'site-' || i as event_id,
            ago(i, 'visit', 180) as occurred_at,
            pick(i, place, ['satisfaction', 'recommend', 'interest', 'timeframe', 'role', 'budget'])
                as question,
            case question
                when 'satisfaction' then cast(1 + draw(i, 'pleased', 10) as varchar)
                when 'recommend' then cast(draw(i, 'recommends', 11) as varchar)
                when 'budget' then cast(100 * draw(i, 'spends', 100) as varchar)
                when 'interest' then pick(i, 'likes', ['tea', 'coffee', 'gifts', 'business'])
                when 'timeframe' then pick(i, 'when', ['now', 'quarter', 'later'])
                else pick(i, 'role', ['decides', 'recommends', 'uses'])
            end as answer,
            i - first() + 1 as _line,
            place as _child
        from range(first(), first() + site(), 20) as t(i), range(1, 3) as p(place)
    """,
}
TABLES |= ledger_tables.TABLES
