-- Split tests: the rate of each variant, its difference from the best of the others, and the winner
-- once all variants have the people that were wanted. Wilson and Newcombe intervals, Bonferroni.
-- answers: Which variant is better? Is the difference more than chance?
-- owner: crm
-- grain: flow, step, metric, variant
{% set z = "1.959964" %}
with experiment_groups as (
    select
        flow,
        step,
        metric,
        variant,
        people,
        successes,
        RATIO(successes, people) as rate,
        count(*) over (partition by flow, step, metric) as variants,
        min(case when is_complete then 1 else 0 end) over (partition by flow, step, metric)
            as is_complete
    from reports.experiment_groups
),

critical as (
    -- Each pair of variants could differ by chance: 5 % are shared among all of them.
    select
        *,
        case
            when variants <= 2 then {{ z }}
            when variants = 3 then 2.393980
            when variants = 4 then 2.638257
            when variants = 5 then 2.807034
            else 3.260767
        end as z,
        row_number() over (
            partition by flow, step, metric
            order by cast(rate as decimal(18, 6)) desc, variant asc
        ) as place
    from experiment_groups
),

centred as (
    -- E. B. Wilson (1927): centre and half width, for 95 % and for the share of a pair.
    select
        *,
        RATIO(rate + RATIO({{ z }} * {{ z }}, 2 * people), 1 + RATIO({{ z }} * {{ z }}, people))
            as centre,
        RATIO(
            {{ z }} * SQRT(
                RATIO(rate * (1 - rate), people)
                + RATIO({{ z }} * {{ z }}, 4 * people * people)
            ),
            1 + RATIO({{ z }} * {{ z }}, people)
        ) as half_width,
        RATIO(rate + RATIO(z * z, 2 * people), 1 + RATIO(z * z, people)) as pair_centre,
        RATIO(
            z * SQRT(RATIO(rate * (1 - rate), people) + RATIO(z * z, 4 * people * people)),
            1 + RATIO(z * z, people)
        ) as pair_half_width
    from critical
),

paired as (
    -- The best variant is compared with the second, every other one with the best.
    select
        own.flow,
        own.step,
        own.metric,
        own.variant,
        own.people,
        own.successes,
        own.rate,
        own.centre - own.half_width as rate_from,
        own.centre + own.half_width as rate_to,
        own.is_complete,
        own.pair_centre - own.pair_half_width as own_from,
        own.pair_centre + own.pair_half_width as own_to,
        other.variant as compared_with,
        other.rate as other_rate,
        other.pair_centre - other.pair_half_width as other_from,
        other.pair_centre + other.pair_half_width as other_to
    from centred as own
    inner join centred as other
        on
            own.flow = other.flow
            and own.step = other.step
            and own.metric = other.metric
            and other.place = case when own.place = 1 then 2 else 1 end
),

compared as (
    -- R. G. Newcombe (1998), method 10; nothing is said before all people are there.
    select
        *,
        case when is_complete = 1 then cast(rate - other_rate as decimal(18, 6)) end
            as difference,
        case
            when is_complete = 1
                then cast(
                    rate - other_rate - SQRT(
                        (rate - own_from) * (rate - own_from)
                        + (other_to - other_rate) * (other_to - other_rate)
                    ) as decimal(18, 6)
                )
        end as difference_from,
        case
            when is_complete = 1
                then cast(
                    rate - other_rate + SQRT(
                        (own_to - rate) * (own_to - rate)
                        + (other_rate - other_from) * (other_rate - other_from)
                    ) as decimal(18, 6)
                )
        end as difference_to
    from paired
),

judged as (
    select
        *,
        case
            when is_complete = 0 then 'collecting'
            when difference_from > 0 then 'better'
            when difference_to < 0 then 'worse'
            else 'no_difference'
        end as verdict
    from compared
)

select
    flow,
    step,
    metric,
    variant,
    people,
    successes,
    cast(rate as decimal(18, 6)) as rate,
    cast(rate_from as decimal(18, 6)) as rate_from,
    cast(rate_to as decimal(18, 6)) as rate_to,
    compared_with,
    cast(difference as decimal(18, 6)) as difference,
    cast(difference_from as decimal(18, 6)) as difference_from,
    cast(difference_to as decimal(18, 6)) as difference_to,
    verdict,
    max(case when verdict = 'better' then variant end) over (partition by flow, step, metric)
        as winner
from judged
