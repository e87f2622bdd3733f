-- What was paid for ads: a day, platform and campaign each; a later file corrects an earlier one.
-- owner: data
-- grain: day, platform, campaign, currency
with ad_spend as (
    select * from raw.ad_spend
),

currencies as (
    select * from seeds.currencies
),

versions as (
    select
        ad_spend.day,
        lower(trim(ad_spend.platform)) as platform,
        trim(ad_spend.campaign) as campaign,
        -- People write eur, too. A word that is not listed stays, and is seen in the reports.
        coalesce(currencies.currency, trim(ad_spend.currency)) as currency,
        ad_spend.amount,
        ad_spend.impressions,
        ad_spend.clicks,
        ad_spend._run,
        ad_spend._line
    from ad_spend
    left join currencies on lower(trim(ad_spend.currency)) = currencies.name
),

ranked as (
    select
        *,
        row_number() over (
            partition by day, platform, campaign, currency order by _run desc, _line desc
        ) as recency
    from versions
)

select
    day,
    platform,
    campaign,
    currency,
    amount,
    impressions,
    clicks
from ranked
where recency = 1
