-- The links of what was sent: the slots of each version of a mail, and where they lead.
-- owner: crm
-- grain: flow, step, variant, language, template_version, slot
with versions as (
    select
        *,
        row_number() over (
            partition by flow, step, variant, language, template_version, slot
            order by updated_at desc, _run desc, _line desc
        ) as recency
    from raw.ledger_links
)

select
    flow,
    step,
    variant,
    language,
    template_version,
    slot,
    kind,
    target,
    label
from versions
where recency = 1
