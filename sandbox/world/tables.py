"""Tables of the world: its people, what they are going to do, and what still has to leave the house."""

SCHEMA = """
create table if not exists world_settings (
    key text primary key,
    value text not null
);
create table if not exists world_people (
    person_id integer primary key,
    state text not null                 -- JSON: see sandbox.world.people.Person
);
create table if not exists world_addresses (
    email text primary key,             -- lower case; also addresses a person no longer uses
    person_id integer not null
);
create table if not exists world_agenda (
    due_at text not null,
    seq integer not null,
    kind text not null,
    person_id integer not null,
    data text not null,                 -- JSON
    primary key (due_at, seq)
);
create table if not exists world_site_events (
    occurred_at text not null,          -- events of a visit that began before the clock stopped
    record text not null
);
create table if not exists world_outbox (
    name text primary key,              -- a file of site events that must appear in the inbox folder
    body blob not null
);
create table if not exists world_browsers (
    visitor_id text primary key,        -- a browser that may show notifications
    person_id integer not null,
    language text not null,
    allowed_at text not null,
    browser_id text                     -- at the push service, once it has subscribed
);
create table if not exists world_askers (
    visitor_id text primary key,        -- a browser that has yet to ask for overlays
    person_id integer not null
);
create table if not exists world_beacons (
    url text primary key,               -- what a browser's service worker has yet to report
    due_at text not null
);
create table if not exists world_opt_outs (
    message_key text primary key,       -- an unsubscribe link, or one to confirm, somebody will press
    url text not null,
    due_at text not null,
    attempts integer not null default 0,
    answer text                         -- HTTP status of the page, or why it could not be reached
);
"""
