-- What each rule gives to a contact's lead score; the rows of a contact add up to its score.
-- owner: crm
-- grain: contact_id, rule
{% set fit_limit = 40 %}
{% set engagement_limit = 60 %}
with lead_score_points as (
    select * from scores.lead_score_points
),

by_group as (
    select
        contact_id,
        rule_group,
        sum(points) as points
    from lead_score_points
    group by contact_id, rule_group
),

by_rule as (
    select
        contact_id,
        rule,
        rule_group,
        count(*) as times,
        max(occurred_at) as last_occurred_at,
        sum(points) as points
    from lead_score_points
    group by contact_id, rule, rule_group
    union all
    -- Above its limit a group gives nothing more: one busy afternoon makes no buyer.
    select
        contact_id,
        rule_group || '_limit' as rule,
        rule_group,
        0 as times,
        cast(null as timestamp) as last_occurred_at,
        {{ fit_limit }} - points as points
    from by_group
    where rule_group = 'fit' and points > {{ fit_limit }}
    union all
    select
        contact_id,
        rule_group || '_limit' as rule,
        rule_group,
        0 as times,
        cast(null as timestamp) as last_occurred_at,
        {{ engagement_limit }} - points as points
    from by_group
    where rule_group = 'engagement' and points > {{ engagement_limit }}
)

select
    contact_id,
    rule,
    rule_group,
    cast(times as bigint) as times,
    last_occurred_at,
    cast(points as decimal(18, 6)) as points
from by_rule
