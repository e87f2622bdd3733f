-- What each rule gives to a contact's lead score; the rows of a contact add up to its score.
-- answers: Why does this contact have its lead score?
-- owner: crm
-- grain: contact_id, rule
{% set fit_limit = 40 %}
{% set engagement_limit = 60 %}
with lead_score_points as (
    select * from scores.lead_score_points
),

-- What is read more than once is kept in memory: so the few columns apart.
group_points as (
    select
        contact_id,
        rule_group,
        points
    from scores.lead_score_points
),

limits as (
    select
        'fit' as rule_group,
        {{ fit_limit }} as most
    union all
    select
        'engagement' as rule_group,
        {{ engagement_limit }} as most
),

by_rule as (
    select
        contact_id,
        rule,
        rule_group,
        sum(times) as times,
        max(last_at) as last_at,
        sum(points) as points
    from lead_score_points
    group by contact_id, rule, rule_group
),

by_group as (
    select
        contact_id,
        rule_group,
        sum(points) as points
    from group_points
    group by contact_id, rule_group
),

limited as (
    select
        by_group.contact_id,
        by_group.rule_group,
        by_group.points,
        limits.most
    from by_group
    inner join limits on by_group.rule_group = limits.rule_group
),

below_zero as (
    select
        contact_id,
        sum(least(points, most)) as points
    from limited
    group by contact_id
    having sum(least(points, most)) < 0
)

select
    contact_id,
    rule,
    rule_group,
    cast(times as bigint) as times,
    last_at as last_occurred_at,
    cast(points as decimal(18, 6)) as points
from by_rule
union all
-- Above its limit a group gives nothing more: one busy afternoon makes no buyer.
select
    contact_id,
    rule_group || '_limit' as rule,
    rule_group,
    cast(0 as bigint) as times,
    cast(null as timestamp) as last_occurred_at,
    cast(most - points as decimal(18, 6)) as points
from limited
where points > most
union all
-- A score ends at zero.
select
    contact_id,
    'floor' as rule,
    'floor' as rule_group,
    cast(0 as bigint) as times,
    cast(null as timestamp) as last_occurred_at,
    cast(0 - points as decimal(18, 6)) as points
from below_zero
