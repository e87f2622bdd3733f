"""The CRM's tables in the world's SQLite file. Moments are milliseconds since 1970, UTC."""

SCHEMA = """
create table if not exists crm_object (
    kind text not null,
    id integer not null,
    properties text not null,  -- a JSON object of strings; what the columns below hold is not in it
    email text,                -- contacts only: the primary address, lower case
    created_at integer not null,
    updated_at integer not null,
    archived_at integer,
    primary key (kind, id)
) without rowid;

create index if not exists crm_object_updated on crm_object (kind, updated_at, id);

create unique index if not exists crm_contact_email on crm_object (email)
    where kind = 'contacts' and archived_at is null;

-- Every association is stored in both directions.
create table if not exists crm_association (
    from_kind text not null,
    from_id integer not null,
    to_kind text not null,
    to_id integer not null,
    primary key (from_kind, from_id, to_kind, to_id)
) without rowid;

-- A merged record's id keeps working: it answers with the record it was merged into.
create table if not exists crm_merge (
    kind text not null,
    loser integer not null,
    winner integer not null,
    primary key (kind, loser)
) without rowid;

-- Properties an account has added to HubSpot's own (sandbox/crm/catalogue.py).
create table if not exists crm_property (
    kind text not null,
    name text not null,
    label text not null,
    type text not null,
    field_type text not null,
    primary key (kind, name)
) without rowid;

-- The highest id ever given, so that a deleted record's id is not given again.
create table if not exists crm_last_id (kind text primary key, id integer not null) without rowid;
"""
