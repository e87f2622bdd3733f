-- A person gave a bad mark in a survey: is not content, or would not recommend us. One a day.
-- owner: crm
-- grain: contact_id, occurrence_id
{% set satisfied_from = 5 %}
{% set passive_from = 7 %}
{% set look_back_days = 30 %}
with answers as (
    select * from core.answers
    where DAYS_BETWEEN(answered_at, {{ as_of }}) <= {{ look_back_days }}
),

marks as (
    select
        contact_id,
        question,
        cast(answer as bigint) as mark,
        answered_at
    from answers
    where question in ('satisfaction', 'recommend') and answer ~ '^([0-9]|10)$'
),

bad as (
    select
        contact_id,
        cast(answered_at as date) as day,
        min(answered_at) as occurred_at,
        min(case when question = 'satisfaction' then mark end) as satisfaction,
        min(case when question = 'recommend' then mark end) as recommend
    from marks
    group by contact_id, cast(answered_at as date)
),

comments as (
    select
        contact_id,
        answer,
        cast(answered_at as date) as day
    from answers
    where question = 'comment'
)

select
    bad.contact_id,
    cast(bad.day as varchar) as occurrence_id,
    bad.occurred_at,
    coalesce(cast(bad.satisfaction as varchar), '-') as satisfaction,
    coalesce(cast(bad.recommend as varchar), '-') as recommend,
    comments.answer as comment
from bad
left join comments on bad.contact_id = comments.contact_id and bad.day = comments.day
where bad.satisfaction < {{ satisfied_from }} or bad.recommend < {{ passive_from }}
