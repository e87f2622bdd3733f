-- Who carries the word on, 0 to 100: followers, friends who registered and bought by its link, and
-- whether it would recommend us.
-- answers: Who would recommend us? Whom do we invite as an ambassador?
-- owner: crm
-- grain: contact_id
{% set reach_points = 30 %}
{% set many_followers = 10000 %}
{% set some_followers = 1000 %}
{% set few_followers = 100 %}
{% set registered_points = 5 %}
{% set registered_limit = 20 %}
{% set bought_points = 15 %}
{% set bought_limit = 30 %}
{% set recommend_points = 20 %}
{% set promoter_from = 9 %}
{% set passive_from = 7 %}
with contacts as (
    select
        contact_id,
        followers,
        created_at
    from core.contacts
    where not is_archived
),

site_touchpoints as (
    select
        contact_id,
        referred_by,
        occurred_at
    from core.site_touchpoints
    where referred_by is not null and contact_id is not null
),

customer_keys as (
    select
        source_id,
        contact_id
    from core.contact_keys
    where source = 'shop'
),

orders as (
    select
        contact_id,
        ordered_at
    from core.orders
    where is_valid and net_amount > 0 and contact_id is not null
),

answers as (
    select
        contact_id,
        cast(answer as bigint) as recommends
    from core.answers
    where question = 'recommend' and answer ~ '^([0-9]|10)$'
),

visits as (
    select
        customer_keys.contact_id as friend_id,
        site_touchpoints.contact_id as newcomer_id,
        site_touchpoints.occurred_at
    from site_touchpoints
    inner join customer_keys on site_touchpoints.referred_by = customer_keys.source_id
),

ranked as (
    -- Of several friends the one whose link was followed first.
    select
        newcomer_id,
        friend_id,
        occurred_at,
        row_number() over (
            partition by newcomer_id order by occurred_at asc, friend_id asc
        ) as place
    from visits
    where newcomer_id <> friend_id
),

newcomers as (
    -- Whom we knew the day before, no friend has brought.
    select
        ranked.friend_id,
        ranked.newcomer_id,
        ranked.occurred_at
    from ranked
    inner join contacts on ranked.newcomer_id = contacts.contact_id
    where ranked.place = 1 and DAYS_BETWEEN(contacts.created_at, ranked.occurred_at) <= 0
),

buyers as (
    select distinct newcomers.newcomer_id
    from newcomers
    inner join orders
        on
            newcomers.newcomer_id = orders.contact_id
            and newcomers.occurred_at <= orders.ordered_at
),

referrals as (
    select
        newcomers.friend_id as contact_id,
        count(*) as referrals,
        count(buyers.newcomer_id) as referred_buyers
    from newcomers
    left join buyers on newcomers.newcomer_id = buyers.newcomer_id
    group by newcomers.friend_id
),

advocates as (
    select
        contacts.contact_id,
        contacts.followers,
        coalesce(referrals.referrals, 0) as referrals,
        coalesce(referrals.referred_buyers, 0) as referred_buyers,
        answers.recommends
    from contacts
    left join referrals on contacts.contact_id = referrals.contact_id
    left join answers on contacts.contact_id = answers.contact_id
    where
        contacts.followers > 0
        or referrals.contact_id is not null
        or answers.contact_id is not null
)

select
    contact_id,
    cast(
        case
            when followers >= {{ many_followers }} then {{ reach_points }}
            when followers >= {{ some_followers }} then 0.5 * {{ reach_points }}
            when followers >= {{ few_followers }} then 0.2 * {{ reach_points }}
            else 0
        end
        + least({{ registered_points }} * referrals, {{ registered_limit }})
        + least({{ bought_points }} * referred_buyers, {{ bought_limit }})
        + case
            when recommends >= {{ promoter_from }} then {{ recommend_points }}
            when recommends >= {{ passive_from }} then 0.5 * {{ recommend_points }}
            else 0
        end as decimal(18, 6)
    ) as score,
    followers,
    cast(referrals as bigint) as referrals,
    cast(referred_buyers as bigint) as referred_buyers,
    recommends
from advocates
