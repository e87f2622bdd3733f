-- Who is, or was, in an audience that flows put people into: from entering to leaving, if they did.
-- answers: Who is in this audience now?
-- owner: crm
-- grain: audience, contact_id, entered_at
with members as (
    select * from staging.ledger_audience_members
),

records as (
    -- The ledger keeps the id of its day: a record's, or a visitor's nobody knew then.
    select
        contact_id,
        record_id
    from core.contact_keys
    union
    select
        contact_id,
        visitor_id as record_id
    from core.visitor_keys
)

select
    members.audience,
    coalesce(records.contact_id, members.contact_id) as contact_id,
    members.entered_at,
    -- Two records of one person, or two stays within an hour: in it while one of them is.
    case when count(*) = count(members.left_at) then max(members.left_at) end as left_at
from members
left join records on members.contact_id = records.record_id
group by members.audience, coalesce(records.contact_id, members.contact_id), members.entered_at
