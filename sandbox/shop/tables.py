"""Tables of the shop. Amounts are decimal text as the API serves them, moments ISO text in UTC."""

SCHEMA = """
create table if not exists shop_products (
    id integer primary key,
    title text not null,
    product_type text not null,
    vendor text not null,
    status text not null,
    handle text not null unique,
    description text not null,
    tags text not null,                 -- joined with ", "
    image text,                         -- path below the shop, null for a product without a picture
    price text not null,
    sku text not null,
    created_at text not null,
    updated_at text not null,
    inventory integer not null default 100,
    rating text,                        -- of five stars, null for a product that nobody has rated
    rating_count integer not null default 0
);
create index if not exists shop_products_updated on shop_products (updated_at, id);

create table if not exists shop_customers (
    id integer primary key,
    first_name text,
    last_name text,
    email text,
    valid_format integer not null,
    marketing_state text not null,
    opt_in_level text,
    marketing_updated_at text,
    phone text,
    locale text not null,
    address1 text,
    zip text,
    city text,
    country text,                       -- ISO 3166 code
    tags text not null default '',
    created_at text not null,
    updated_at text not null,
    sms_state text not null default 'NOT_SUBSCRIBED',
    sms_updated_at text
);
create index if not exists shop_customers_updated on shop_customers (updated_at, id);

create table if not exists shop_orders (
    id integer primary key,
    name text not null,
    customer_id integer,
    email text,
    created_at text not null,
    processed_at text not null,
    updated_at text not null,
    cancelled_at text,
    test integer not null,
    currency text not null,
    subtotal text not null,             -- of the lines, after discounts
    discounts text not null,
    shipping text not null,
    tax text not null,                  -- contained in the total
    total text not null,
    refunded text not null,
    discount_codes text not null,       -- joined with ", "
    financial_status text not null,
    fulfillment_status text not null,
    tags text not null                  -- joined with ", "
);
create index if not exists shop_orders_updated on shop_orders (updated_at, id);
create index if not exists shop_orders_created on shop_orders (created_at, id);
create index if not exists shop_orders_customer on shop_orders (customer_id);

create table if not exists shop_order_lines (
    id integer primary key,
    order_id integer not null,
    product_id integer,
    sku text,
    title text not null,
    quantity integer not null,
    current_quantity integer not null,  -- after refunds
    unit_price text not null,
    discount text not null,
    listed integer not null default 1   -- 0: known only from a refund, not among the order's lines
);
create index if not exists shop_order_lines_order on shop_order_lines (order_id, id);

create table if not exists shop_fulfillments (
    id integer primary key,
    order_id integer not null,
    created_at text not null,
    updated_at text not null,
    delivered_at text
);
create index if not exists shop_fulfillments_order on shop_fulfillments (order_id, id);

create table if not exists shop_refunds (
    id integer primary key,
    order_id integer not null,
    created_at text not null,
    updated_at text not null,
    amount text not null,
    note text
);
create index if not exists shop_refunds_order on shop_refunds (order_id, id);

create table if not exists shop_refund_lines (
    id integer primary key,
    refund_id integer not null,
    order_line_id integer not null,
    quantity integer not null,
    subtotal text not null
);
create index if not exists shop_refund_lines_refund on shop_refund_lines (refund_id, id);

create table if not exists shop_checkouts (
    id integer primary key,
    name text not null,
    token text not null unique,
    customer_id integer,
    created_at text not null,
    updated_at text not null,
    completed_at text,
    currency text not null,
    subtotal text not null,
    total text not null
);
create index if not exists shop_checkouts_created on shop_checkouts (created_at, id);

create table if not exists shop_checkout_lines (
    id integer primary key,
    checkout_id integer not null,
    product_id integer not null,
    title text not null,
    quantity integer not null,
    unit_price text not null
);
create index if not exists shop_checkout_lines_checkout on shop_checkout_lines (checkout_id, id);

create table if not exists shop_tokens (
    token text primary key,
    expires_at real not null            -- seconds since 1970, real time
);
create table if not exists shop_bulk_operations (
    id integer primary key,
    query text not null,
    status text not null,
    error_code text,
    created_at text not null,
    completed_at text,
    object_count integer not null default 0,
    root_object_count integer not null default 0,
    file_size integer
);

create table if not exists shop_discount_codes (
    code text primary key collate nocase,
    discount text not null,             -- the general code of its discount
    creation integer not null,          -- the request that added it
    added_at text not null,
    used_at text
);
"""
