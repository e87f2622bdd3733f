-- Invoice lines as the tables of the shop. Run by DuckDB over a view `source` of the file, with its
-- row numbers as `position`. The last six tables have the columns of sandbox/shop/tables.py, in order.

create macro customer_key(n) as 7200000000000 + n;
create macro product_key(n) as 8100000000000 + n;
create macro order_key(n) as 5500000000000 + n;
create macro line_key(n) as 6600000000000 + n;
create macro refund_key(n) as 4400000000000 + n;
create macro refund_line_key(n) as 4500000000000 + n;
create macro iso(t) as strftime(t, '%Y-%m-%dT%H:%M:%SZ');

-- Two decimals as the API serves them; the few prices of 0.001 keep their third.
create macro money(amount) as regexp_replace(cast(cast(amount as decimal(18, 3)) as varchar), '0$', '');

create temp table country as
select * from (values
    ('United Kingdom', 'GB'), ('Germany', 'DE'), ('France', 'FR'), ('EIRE', 'IE'), ('Spain', 'ES'),
    ('Netherlands', 'NL'), ('Belgium', 'BE'), ('Switzerland', 'CH'), ('Portugal', 'PT'), ('Australia', 'AU'),
    ('Norway', 'NO'), ('Italy', 'IT'), ('Channel Islands', 'JE'), ('Finland', 'FI'), ('Cyprus', 'CY'),
    ('Sweden', 'SE'), ('Austria', 'AT'), ('Denmark', 'DK'), ('Japan', 'JP'), ('Poland', 'PL'), ('Israel', 'IL'),
    ('USA', 'US'), ('Hong Kong', 'HK'), ('Singapore', 'SG'), ('Iceland', 'IS'), ('Canada', 'CA'),
    ('Greece', 'GR'), ('Malta', 'MT'), ('United Arab Emirates', 'AE'), ('RSA', 'ZA'), ('Lebanon', 'LB'),
    ('Lithuania', 'LT'), ('Brazil', 'BR'), ('Czech Republic', 'CZ'), ('Bahrain', 'BH'), ('Saudi Arabia', 'SA')
) as t (name, code);

-- An invoice that was written over several minutes counts from its first line.
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
from (select *, min(InvoiceDate) over (partition by InvoiceNo) as min_at from source);

create temp table product as
select
    row_number() over (order by sku) as product_id,
    sku,
    coalesce(max_by(title, moment) filter (where title is not null and price > 0), max(title), sku) as title,
    coalesce(median(price) filter (where price > 0), 0) as price,
    min(moment) as created_at
from line
group by sku;

create temp table invoice as
select
    invoice,
    min(moment) as moment,
    min(customer) as customer,
    min(country) as country,
    sum(quantity * price) as total,
    bool_or(is_cancellation) as is_cancellation
from line
group by invoice;

-- The order a cancelled line was bought with: the customer's latest earlier one that has the article.
create temp table origin as
select c.line_id, s.invoice
from line c
asof join (
    select distinct on (coalesce(customer, 0), sku, moment) coalesce(customer, 0) as who, sku, moment, invoice
    from line
    where not is_cancellation and quantity > 0
    order by coalesce(customer, 0), sku, moment, line_id
) s on s.who = coalesce(c.customer, 0) and s.sku = c.sku and c.moment >= s.moment
where c.is_cancellation;

-- A cancellation belongs to one order: the one most of its lines come from, else the customer's latest.
create temp table cancellation as
with voted as (
    select c.invoice, o.invoice as order_invoice, count(*) as votes, max(s.moment) as moment
    from line c join origin o using (line_id) join invoice s on s.invoice = o.invoice
    group by c.invoice, o.invoice
), chosen as (
    select invoice, order_invoice
    from voted
    qualify row_number() over (partition by invoice order by votes desc, moment desc, order_invoice) = 1
), latest as (
    select c.invoice, s.invoice as order_invoice
    from invoice c
    asof join (
        select distinct on (coalesce(customer, 0), moment) coalesce(customer, 0) as who, moment, invoice
        from invoice
        where not is_cancellation
        order by coalesce(customer, 0), moment, invoice
    ) s on s.who = coalesce(c.customer, 0) and c.moment >= s.moment
    where c.is_cancellation
)
select
    row_number() over (order by c.moment, c.invoice) as refund_id,
    c.invoice,
    c.moment,
    c.customer,
    c.country,
    c.total,
    coalesce(chosen.order_invoice, latest.order_invoice) as order_invoice
from invoice c
left join chosen using (invoice)
left join latest using (invoice)
where c.is_cancellation;

-- A cancellation whose order is not in the file is carried by an order without lines.
create temp table sale as
select row_number() over (order by moment, name) as order_id, *
from (
    select invoice as name, moment, customer, country, total, '' as tags from invoice where not is_cancellation
    union all
    select 'R' || invoice, moment, customer, country, 0, 'cancellation-only'
    from cancellation
    where order_invoice is null
);

create temp table refund as
select c.refund_id, c.invoice, c.moment, c.total, s.order_id, s.name as order_name
from cancellation c
join sale s on s.name = coalesce(c.order_invoice, 'R' || c.invoice);

-- The order's line that comes back; null where the order has no line of this article.
create temp table refund_line as
select
    c.line_id,
    r.refund_id,
    r.order_id,
    -c.quantity as quantity,
    -c.quantity * c.price as subtotal,
    c.price,
    c.sku,
    p.product_id,
    coalesce(c.title, p.title) as title,
    (select min(l.line_id) from line l where l.invoice = r.order_name and l.sku = c.sku) as order_line_id
from line c
join refund r using (invoice)
join product p using (sku)
where c.is_cancellation;

create temp table shop_products as
select
    product_key(product_id), title, 'Merchandise', 'Online Retail', 'ACTIVE', 'item-' || product_id, title, '',
    '/cdn/item-' || product_id || '.png', money(price), sku, '2010-11-30T00:00:00Z', iso(created_at), 100, null, 0
from product
order by product_id;

create temp table shop_customers as
select
    customer_key(customer), null, 'Customer ' || customer, 'customer' || customer || '@example.com', 1,
    'NOT_SUBSCRIBED', null, null, null, 'en', null, null, null, min(code), '', iso(min(moment)), iso(max(moment)),
    'NOT_SUBSCRIBED', null
from invoice
left join country on country.name = invoice.country
where customer is not null
group by customer
order by customer;

create temp table shop_orders as
with given_back as (
    select order_id, -sum(total) as amount, max(moment) as moment from refund group by order_id
)
select
    order_key(s.order_id), s.name, customer_key(s.customer), 'customer' || s.customer || '@example.com',
    iso(s.moment), iso(s.moment), iso(greatest(s.moment, g.moment)), null, 0, 'GBP',
    money(s.total), '0.00', '0.00', '0.00', money(s.total), money(coalesce(g.amount, 0)), '',
    case
        when g.amount is null then 'PAID'
        when g.amount >= s.total then 'REFUNDED'
        else 'PARTIALLY_REFUNDED'
    end,
    'FULFILLED', s.tags
from sale s
left join given_back g using (order_id)
order by s.order_id;

-- Lines that are known from a refund only are there to be referred to, but not among the order's lines.
create temp table shop_order_lines as
with given_back as (
    select order_line_id, sum(quantity) as quantity from refund_line group by order_line_id
)
select
    line_key(l.line_id) as id, order_key(s.order_id), product_key(p.product_id), l.sku,
    coalesce(l.title, p.title), l.quantity,
    greatest(l.quantity - coalesce(g.quantity, 0), least(l.quantity, 0)), money(l.price), '0.00', 1
from line l
join sale s on s.name = l.invoice
join product p using (sku)
left join given_back g on g.order_line_id = l.line_id
union all
select
    line_key(line_id), order_key(order_id), product_key(product_id), sku, title, quantity, 0, money(price), '0.00', 0
from refund_line
where order_line_id is null
order by id;

create temp table shop_refunds as
select refund_key(refund_id), order_key(order_id), iso(moment), iso(moment), money(-total), invoice
from refund
order by refund_id;

create temp table shop_refund_lines as
select
    refund_line_key(line_id), refund_key(refund_id), line_key(coalesce(order_line_id, line_id)), quantity,
    money(subtotal)
from refund_line
order by line_id;
