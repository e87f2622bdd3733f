"""The mail provider's tables in the world's SQLite file. Moments are seconds since 1970, UTC."""

SCHEMA = """
-- An accepted request. Its content is kept once; a message is rendered from it when it is looked at.
create table if not exists mail_request (
    id text primary key,  -- X-Message-Id
    accepted_at integer not null,
    from_address text not null,
    from_name text,
    reply_to text,
    html text,
    text text,
    settings text not null,  -- JSON: asm, tracking_settings, mail_settings
    batch_id text
) without rowid;

create table if not exists mail_message (
    id integer primary key,
    request_id text not null references mail_request (id),
    position integer not null,  -- which personalization
    address text not null,
    name text,
    subject text not null,
    substitutions text not null,  -- JSON object
    headers text not null,        -- JSON object
    custom_args text not null,    -- JSON object
    categories text not null,     -- JSON array
    message_key text,             -- the custom argument mk, if there is one
    send_at integer not null,     -- accepted_at, or later if it was scheduled
    state text not null default 'accepted'
        check (state in ('accepted', 'sent', 'dropped', 'cancelled')),
    unique (request_id, position, address)
);

create index if not exists mail_message_key on mail_message (message_key);
create index if not exists mail_message_open on mail_message (send_at) where state = 'accepted';

-- What the provider reports. All reactions to a message are decided at once; they become
-- visible when the world's clock reaches `occurred_at`.
create table if not exists mail_event (
    sg_event_id text primary key,
    message_id integer references mail_message (id),
    occurred_at integer not null,
    body text not null  -- the JSON object as posted
) without rowid;

create index if not exists mail_event_of_message on mail_event (message_id);

-- One row a post of an event to the webhook: duplicates have several, delays a later `post_at`.
create table if not exists mail_posting (
    sg_event_id text not null references mail_event (sg_event_id),
    copy integer not null,
    post_at integer not null,
    posted integer not null default 0,
    primary key (sg_event_id, copy)
) without rowid;

create index if not exists mail_posting_due on mail_posting (post_at) where posted = 0;

-- What people do outside the mail: follow a link, opt out.
create table if not exists mail_visit (
    id integer primary key,
    message_id integer not null references mail_message (id),
    occurred_at integer not null,
    kind text not null check (kind in ('click', 'opt_out')),
    url text not null,
    made integer not null default 0
);

create index if not exists mail_visit_due on mail_visit (occurred_at) where made = 0;

-- `list` is bounces, blocks, invalid_emails, spam_reports, unsubscribes or group:<id>.
-- An entry counts from `created` on, which may lie ahead of the world's clock.
create table if not exists mail_suppression (
    list text not null,
    address text not null,
    created integer not null,
    reason text,
    status text,
    primary key (list, address)
) without rowid;

create table if not exists mail_batch (
    id text primary key,
    created_at integer not null,
    status text check (status in ('cancel', 'pause')),
    status_since integer
) without rowid;

create table if not exists mail_setting (name text primary key, value text not null) without rowid;
"""
