-- The times during which a person agreed to marketing mail: from a consent to its revocation.
-- answers: Was this person a subscriber on a given day?
-- owner: crm
-- grain: contact_id, started_at
with consents as (
    select * from core.consents
    -- Asking for consent is no statement; a confirmation after it is the first.
    where state <> 'pending'
),

moments as (
    -- At the same moment a revocation is the last word.
    select
        contact_id,
        occurred_at,
        max(state) as state
    from consents
    group by contact_id, occurred_at
),

compared as (
    select
        *,
        lag(state) over (partition by contact_id order by occurred_at) as previous_state
    from moments
),

changes as (
    -- A record touched again, or a single opt-in confirmed later, changes nothing.
    select
        contact_id,
        state,
        occurred_at as started_at,
        lead(occurred_at) over (partition by contact_id order by occurred_at) as ended_at
    from compared
    where previous_state is null or previous_state <> state
)

select
    contact_id,
    started_at,
    ended_at
from changes
where state = 'granted'
