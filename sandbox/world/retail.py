"""A shop made of real invoice lines: the UCI data set "Online Retail" as one Parquet file.

Columns: InvoiceNo, StockCode, Description, Quantity, InvoiceDate, UnitPrice, CustomerID, Country.
Each invoice is an order with its lines, each cancellation (a number that begins with C) a refund
with refund lines, so that every line of the file is served exactly once, as it stands: negative
quantities, prices of nothing and below are not mended.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path

from sandbox import store as state

CUSTOMER, PRODUCT, ORDER, LINE = 7_200_000_000_000, 8_100_000_000_000, 5_500_000_000_000, 6_600_000_000_000
REFUND, REFUND_LINE = 4_400_000_000_000, 4_500_000_000_000

NOW = "2011-12-10T06:00:00Z"
OPENED = "2010-11-30T00:00:00Z"

COLUMNS = {
    "InvoiceNo",
    "StockCode",
    "Description",
    "Quantity",
    "InvoiceDate",
    "UnitPrice",
    "CustomerID",
    "Country",
}

PREPARE = """
create temp table line as
select
    row_number() over (order by min_at, InvoiceNo, position) as line_id,
    InvoiceNo as invoice,
    StockCode as sku,
    Description as title,
    Quantity as quantity,
    cast(UnitPrice as decimal(18, 3)) as price,
    min_at as moment,
    CustomerID as customer,
    Country as country,
    InvoiceNo like 'C%' as is_cancellation
from (
    select *, min(InvoiceDate) over (partition by InvoiceNo) as min_at
    from (select *, row_number() over () as position from read_parquet($file))
);

create temp table product as
select row_number() over (order by sku) as product_id, sku,
    coalesce(max_by(title, moment) filter (where title is not null and price > 0), max(title), sku) as title,
    coalesce(median(price) filter (where price > 0), 0) as price, min(moment) as created_at
from line group by sku;

create temp table invoice as
select invoice, min(moment) as moment, min(customer) as customer, min(country) as country, sum(quantity * price) as total,
    bool_or(is_cancellation) as is_cancellation
from line group by invoice;

-- The order a cancelled line was bought with: the customer's latest earlier one that has the article.
create temp table origin as
select c.line_id, s.invoice, s.line_id as order_line_id
from line c
asof join (
    select distinct on (coalesce(customer, 0), sku, moment) coalesce(customer, 0) as who, sku, moment, invoice, line_id
    from line where not is_cancellation and quantity > 0 order by coalesce(customer, 0), sku, moment, line_id
) s on s.who = coalesce(c.customer, 0) and s.sku = c.sku and c.moment >= s.moment
where c.is_cancellation;

-- A refund belongs to one order: where most of its lines come from, else the customer's latest earlier one.
create temp table refund as
with voted as (
    select c.invoice, o.invoice as order_invoice, count(*) as votes, max(s.moment) as moment
    from line c join origin o using (line_id) join invoice s on s.invoice = o.invoice
    group by c.invoice, o.invoice
), chosen as (
    select invoice, order_invoice from voted
    qualify row_number() over (partition by invoice order by votes desc, moment desc, order_invoice) = 1
), latest as (
    select c.invoice, s.invoice as order_invoice
    from invoice c
    asof join (
        select distinct on (coalesce(customer, 0), moment) coalesce(customer, 0) as who, moment, invoice
        from invoice where not is_cancellation order by coalesce(customer, 0), moment, invoice
    ) s on s.who = coalesce(c.customer, 0) and c.moment >= s.moment
    where c.is_cancellation
)
select c.invoice, row_number() over (order by c.moment, c.invoice) as refund_id, c.moment, c.customer, c.country,
    c.total, coalesce(chosen.order_invoice, latest.order_invoice) as order_invoice
from invoice c
left join chosen using (invoice) left join latest using (invoice)
where c.is_cancellation;

create temp table shop_order as
select row_number() over (order by moment, name) as order_id, * from (
    select invoice as name, moment, customer, country, total, '' as tags from invoice where not is_cancellation
    union all
    select 'R' || invoice, moment, customer, country, 0, 'cancellation-only' from refund where order_invoice is null
);
create or replace temp table refund as
select refund.* exclude (order_invoice), shop_order.order_id from refund
join shop_order on shop_order.name = coalesce(refund.order_invoice, 'R' || refund.invoice);

-- The order's line a refund line refers to; where the order has none, one that is known from the refund only.
create temp table refund_line as
select c.line_id, r.refund_id, r.order_id, -c.quantity as quantity, -c.quantity * c.price as subtotal,
    p.product_id, c.sku, c.title, c.price,
    (select min(l.line_id) from line l where l.invoice = o.name and l.sku = c.sku) as order_line_id
from line c
join refund r using (invoice)
join shop_order o on o.order_id = r.order_id
join product p using (sku)
where c.is_cancellation;
"""

COUNTRIES = """
create temp table country as select * from (values
    ('United Kingdom', 'GB'), ('Germany', 'DE'), ('France', 'FR'), ('EIRE', 'IE'), ('Spain', 'ES'),
    ('Netherlands', 'NL'), ('Belgium', 'BE'), ('Switzerland', 'CH'), ('Portugal', 'PT'), ('Australia', 'AU'),
    ('Norway', 'NO'), ('Italy', 'IT'), ('Channel Islands', 'JE'), ('Finland', 'FI'), ('Cyprus', 'CY'),
    ('Sweden', 'SE'), ('Austria', 'AT'), ('Denmark', 'DK'), ('Japan', 'JP'), ('Poland', 'PL'), ('Israel', 'IL'),
    ('USA', 'US'), ('Hong Kong', 'HK'), ('Singapore', 'SG'), ('Iceland', 'IS'), ('Canada', 'CA'),
    ('Greece', 'GR'), ('Malta', 'MT'), ('United Arab Emirates', 'AE'), ('RSA', 'ZA'), ('Lebanon', 'LB'),
    ('Lithuania', 'LT'), ('Brazil', 'BR'), ('Czech Republic', 'CZ'), ('Bahrain', 'BH'), ('Saudi Arabia', 'SA')
) as t (name, code);
"""

MONEY = """
create macro money(amount) as regexp_replace(cast(cast(amount as decimal(18, 3)) as varchar), '0$', '');
"""
# Two decimals as the API serves them; the few prices of 0.001 keep their third.

ISO = "%Y-%m-%dT%H:%M:%SZ"

PRODUCTS = f"""
select {PRODUCT} + product_id, title, 'Merchandise', 'Online Retail', 'ACTIVE', 'item-' || product_id, title, '',
    '/cdn/item-' || product_id || '.png', money(price), sku,
    '{OPENED}', strftime(created_at, '{ISO}')
from product order by product_id
"""

CUSTOMERS = f"""
select {CUSTOMER} + customer, null, 'Customer ' || customer, 'customer' || customer || '@example.com', 1,
    'NOT_SUBSCRIBED', null, null, null, 'en', null, null, null, min(code), '',
    strftime(min(moment), '{ISO}'), strftime(max(moment), '{ISO}')
from invoice left join country on country.name = invoice.country where customer is not null
group by customer order by customer
"""

ORDERS = f"""
with money as (
    select order_id, sum(total) as total, max(moment) as moment from refund group by order_id
)
select {ORDER} + o.order_id, o.name, {CUSTOMER} + o.customer,
    case when o.customer is null then null else 'customer' || o.customer || '@example.com' end,
    strftime(o.moment, '{ISO}'), strftime(o.moment, '{ISO}'), strftime(greatest(o.moment, m.moment), '{ISO}'), null, 0, 'GBP',
    money(o.total), '0.00', '0.00', '0.00', money(o.total),
    money(coalesce(-m.total, 0)), '',
    case when m.total is null then 'PAID' when -m.total >= o.total then 'REFUNDED' else 'PARTIALLY_REFUNDED' end,
    'FULFILLED', o.tags
from shop_order o left join money m using (order_id) order by o.order_id
"""

LINES = f"""
with given_back as (select order_line_id, sum(quantity) as quantity from refund_line group by order_line_id)
select {LINE} + l.line_id, {ORDER} + o.order_id, {PRODUCT} + p.product_id, l.sku, coalesce(l.title, p.title), l.quantity,
    greatest(l.quantity - coalesce(g.quantity, 0), least(l.quantity, 0)), money(l.price), '0.00', 1
from line l join shop_order o on o.name = l.invoice join product p using (sku)
left join given_back g on g.order_line_id = l.line_id
where not l.is_cancellation
union all
select {LINE} + line_id, {ORDER} + order_id, {PRODUCT} + product_id, sku, coalesce(title, sku), quantity, 0,
    money(price), '0.00', 0
from refund_line where order_line_id is null
order by 1
"""

REFUNDS = f"""
select {REFUND} + refund_id, {ORDER} + order_id, strftime(moment, '{ISO}'), strftime(moment, '{ISO}'),
    money(-total), invoice
from refund order by refund_id
"""

REFUND_LINES = f"""
select {REFUND_LINE} + line_id, {REFUND} + refund_id, {LINE} + coalesce(order_line_id, line_id), quantity,
    money(subtotal)
from refund_line order by line_id
"""

FILLED = {
    "shop_products": PRODUCTS,
    "shop_customers": CUSTOMERS,
    "shop_orders": ORDERS,
    "shop_order_lines": LINES,
    "shop_refunds": REFUNDS,
    "shop_refund_lines": REFUND_LINES,
}


def fill(db: sqlite3.Connection, file: Path) -> None:
    """Fill the shop from the file; CRM and mail stay empty and nobody acts when time passes.

    Raises ValueError if the file is missing or lacks a column.
    """
    import duckdb

    if not file.is_file():
        raise ValueError(f"There is no file {file} to serve as the shop.")
    source = duckdb.connect()
    source.execute("set preserve_insertion_order = true")
    found = {
        row[0]
        for row in source.execute(
            "describe select * from read_parquet($file)", {"file": str(file)}
        ).fetchall()
    }
    if missing := COLUMNS - found:
        raise ValueError(f"{file} lacks the columns {', '.join(sorted(missing))} of invoice lines.")
    source.execute(COUNTRIES)
    source.execute(MONEY)
    for statement in PREPARE.split(";\n"):
        if statement.strip():
            source.execute(statement, {"file": str(file)} if "$file" in statement else None)
    for table, query in FILLED.items():
        rows = source.execute(query)
        while chunk := rows.fetchmany(50_000):
            marks = ", ".join("?" * len(chunk[0]))
            db.executemany(f"insert into {table} values ({marks})", chunk)  # ruff: ignore[hardcoded-sql-expression] - our own table names
    for key, value in (
        ("now", NOW),
        ("start", NOW),
        ("shop_name", "Online Retail"),
        ("currency", "GBP"),
        ("scale", '{"contacts": 0, "arrivals_a_day": 0}'),
    ):
        state.put(db, key, value)
