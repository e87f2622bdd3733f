-- Who was qualified for marketing (mql) or for sales (sql), from when to when, and on what grounds.
-- owner: sales
-- grain: contact_id, level, source, qualified_at
-- answers: Who is an MQL or SQL, since when, and on what grounds?
{% set gathered_within = 60 %}
with qualified_periods as (
    select * from lifecycle.qualified_periods
),

lead_score_points as (
    select * from scores.lead_score_points
),

crm_evidence as (
    select * from lifecycle.stage_evidence
    where evidence = 'crm_stage' and stage in ('mql', 'sql')
),

gathered as (
    -- The same points that lifecycle.qualified_periods has counted, by rule.
    select
        qualified_periods.contact_id,
        qualified_periods.entered_at,
        lead_score_points.rule,
        sum(lead_score_points.base_points) as points
    from qualified_periods
    inner join lead_score_points on qualified_periods.contact_id = lead_score_points.contact_id
    where
        lead_score_points.rule_group = 'fit'
        or DAYS_BETWEEN(lead_score_points.day, qualified_periods.entered_at)
        between 0 and {{ gathered_within }}
    group by
        qualified_periods.contact_id, qualified_periods.entered_at, lead_score_points.rule
),

grounds as (
    select
        contact_id,
        entered_at,
        string_agg(
            rule || ' ' || cast(cast(points as bigint) as varchar),
            ', ' order by points desc, rule asc
        ) as evidence
    from gathered
    group by contact_id, entered_at
)

select
    qualified_periods.contact_id,
    'mql' as level,
    'points' as source,
    qualified_periods.entered_at as qualified_at,
    qualified_periods.left_at,
    grounds.evidence
from qualified_periods
inner join grounds
    on
        qualified_periods.contact_id = grounds.contact_id
        and qualified_periods.entered_at = grounds.entered_at
union all
select
    contact_id,
    stage as level,
    'crm' as source,
    entered_at as qualified_at,
    left_at,
    case stage
        when 'mql' then 'lifecycle stage in the CRM: marketing qualified lead'
        else 'lifecycle stage in the CRM: sales qualified lead'
    end as evidence
from crm_evidence
