-- What was paid for ads: a day, platform and campaign each; a later file corrects an earlier one.
-- owner: data
-- grain: day, platform, campaign, currency
with versions as (
    select
        day,
        lower(trim(platform)) as platform,
        trim(campaign) as campaign,
        trim(currency) as currency,
        amount,
        impressions,
        clicks,
        _run,
        _line
    from raw.ad_spend
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
