-- Memberships that did not just begin and last: those left again, and those of records that became
-- one contact. Only their changes have to be put in order for reports.membership_history.
-- answers: Which memberships did not just last?
-- owner: crm
-- grain: record_id, kind, name
with recorded as (
    select
        record_id,
        kind,
        name,
        change
    from raw.membership_changes
),

found_now as (
    select
        record_id,
        kind,
        name,
        change
    from reports.membership_changes
    where not is_taken_back
),

changes as (
    select * from recorded
    union all
    select * from found_now
),

contact_keys as (
    select
        record_id,
        contact_id
    from core.contact_keys
),

moved as (
    select distinct
        contact_keys.contact_id,
        changes.kind,
        changes.name
    from changes
    inner join contact_keys on changes.record_id = contact_keys.record_id
    where changes.change < 0 or changes.record_id <> contact_keys.contact_id
)

-- contact_id comes first: computed by it, few of the changes have to be looked at.
select
    moved.contact_id,
    contact_keys.record_id,
    moved.kind,
    moved.name
from moved
inner join contact_keys on moved.contact_id = contact_keys.contact_id
