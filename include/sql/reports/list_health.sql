-- The mailing list in one row: who can be reached, who still reads, and what ails the rest.
-- answers: How healthy is our list? How many can we really reach?
-- owner: crm
-- grain: as_of_day
{% set active_days = 30 %}
{% set engaged_days = 90 %}
with contacts as (
    select
        contact_id,
        email,
        email_consent,
        email_consent_basis
    from core.contacts
    where not is_archived
),

suppressed as (
    -- Who wants no texts or notifications still gets mail.
    select distinct contact_id
    from core.suppressions
    where channel in ('email', 'all')
),

engagement as (
    select
        contact_id,
        opens,
        clicks,
        sent,
        machine_opens_90d,
        DAYS_BETWEEN(last_engaged_at, {{ as_of }}) as silent_days
    from scores.engagement
),

judged as (
    select
        contacts.email_consent,
        contacts.email_consent = 'granted' as is_subscriber,
        contacts.email_consent = 'granted' and contacts.email is null as has_no_address,
        contacts.email_consent = 'granted' and suppressed.contact_id is not null as is_suppressed,
        contacts.email_consent = 'granted'
        and contacts.email is not null
        and suppressed.contact_id is null as is_reachable,
        coalesce(contacts.email_consent_basis, '') <> 'consent_doi' as is_unconfirmed,
        engagement.silent_days,
        engagement.sent > 0 and engagement.opens + engagement.clicks = 0 as never_read,
        engagement.sent > 0
        and engagement.opens + engagement.clicks = 0
        and engagement.machine_opens_90d > 0 as is_opened_by_machines_only
    from contacts
    left join suppressed on contacts.contact_id = suppressed.contact_id
    left join engagement on contacts.contact_id = engagement.contact_id
),

counted as (
    select
        count(*) as contacts,
        count(case when email_consent = 'pending' then 1 end) as pending,
        count(case when email_consent = 'revoked' then 1 end) as revoked,
        count(case when is_subscriber then 1 end) as subscribers,
        count(case when has_no_address then 1 end) as without_address,
        count(case when is_suppressed then 1 end) as suppressed,
        count(case when is_reachable then 1 end) as reachable,
        count(case when is_reachable and is_unconfirmed then 1 end) as unconfirmed,
        count(case when is_reachable and silent_days < {{ active_days }} then 1 end) as active,
        count(case when is_reachable and silent_days < {{ engaged_days }} then 1 end) as engaged,
        count(case when is_reachable and never_read then 1 end) as never_read,
        count(case when is_reachable and is_opened_by_machines_only then 1 end)
            as opened_by_machines_only
    from judged
)

select
    cast({{ as_of }} as date) as as_of_day,
    cast(contacts as bigint) as contacts,
    cast(pending as bigint) as pending,
    cast(revoked as bigint) as revoked,
    cast(subscribers as bigint) as subscribers,
    cast(without_address as bigint) as without_address,
    cast(suppressed as bigint) as suppressed,
    cast(reachable as bigint) as reachable,
    cast(RATIO(reachable, subscribers) as decimal(18, 6)) as reachable_share,
    cast(unconfirmed as bigint) as unconfirmed,
    cast(RATIO(unconfirmed, reachable) as decimal(18, 6)) as unconfirmed_share,
    cast(active as bigint) as active_30_days,
    cast(RATIO(active, reachable) as decimal(18, 6)) as active_30_days_share,
    cast(engaged as bigint) as engaged_90_days,
    cast(RATIO(engaged, reachable) as decimal(18, 6)) as engaged_90_days_share,
    cast(never_read as bigint) as never_read,
    cast(RATIO(never_read, reachable) as decimal(18, 6)) as never_read_share,
    cast(opened_by_machines_only as bigint) as opened_by_machines_only
from counted
