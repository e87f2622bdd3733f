-- The lifecycle stages a CRM contact was ever seen in, and since when.
-- owner: crm
-- grain: crm_contact_id, lifecycle_stage
with versions as (
    select
        crm_contact_id,
        lower(nullif(trim(lifecycle_stage), '')) as lifecycle_stage,
        updated_at
    from raw.crm_contacts
)

select
    crm_contact_id,
    lifecycle_stage,
    min(updated_at) as first_seen_at
from versions
where lifecycle_stage is not null
group by crm_contact_id, lifecycle_stage
