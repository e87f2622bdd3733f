-- A person has entered the segment of ambassadors, by reach or by friends it brought, and has not
-- joined the programme: once a year, from the build that found it.
-- owner: crm
-- grain: contact_id, occurrence_id
with recorded_changes as (
    select
        record_id,
        as_of
    from raw.membership_changes
    where
        kind = 'segment'
        and name = 'ambassadors'
        and change > 0
),

contact_keys as (
    select
        record_id,
        contact_id
    from core.contact_keys
),

ambassadors as (
    select contact_id from segments.ambassadors
),

advocates as (
    select
        contact_id,
        followers,
        referrals
    from scores.advocacy
),

members as (
    select distinct contact_id
    from core.audience_members
    where audience = 'ambassadors' and left_at is null
),

entries as (
    select
        contact_keys.contact_id,
        extract(year from recorded_changes.as_of) as year,
        min(recorded_changes.as_of) as entered_at
    from recorded_changes
    inner join contact_keys on recorded_changes.record_id = contact_keys.record_id
    group by contact_keys.contact_id, extract(year from recorded_changes.as_of)
)

select
    entries.contact_id,
    cast(cast(entries.year as bigint) as varchar) as occurrence_id,
    entries.entered_at as occurred_at,
    advocates.followers,
    advocates.referrals
from entries
inner join ambassadors on entries.contact_id = ambassadors.contact_id
inner join advocates on entries.contact_id = advocates.contact_id
left join members on entries.contact_id = members.contact_id
where members.contact_id is null
