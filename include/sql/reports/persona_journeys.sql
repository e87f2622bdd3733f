-- The journey of each persona: who is in which phase, how long, what they read, what comes next.
-- owner: content
-- grain: persona, phase
-- answers: How do office managers become customers? Which persona gets stuck, and where?
with personas as (
    select * from lifecycle.persona
),

listed as (
    select persona from seeds.personas
    union all
    -- Of whom nobody knows yet what kind of person it is.
    select 'unknown' as persona
),

contents_read as (
    select * from lifecycle.contents_read
),

phases as (
    select
        'reach' as phase,
        1 as phase_rank
    union all
    select
        'engage' as phase,
        2 as phase_rank
    union all
    select
        'activate' as phase,
        3 as phase_rank
    union all
    select
        'loyalty' as phase,
        4 as phase_rank
),

stays as (
    select
        positions.contact_id,
        coalesce(personas.persona, 'unknown') as persona,
        positions.stage_rank,
        positions.entered_at,
        positions.left_at,
        positions.evidence
    from funnels.real as positions
    left join personas on positions.contact_id = personas.contact_id
),

reads as (
    select
        stays.persona,
        stays.stage_rank,
        count(*) as contents_read
    from stays
    inner join contents_read on stays.contact_id = contents_read.contact_id
    where
        contents_read.first_read_at >= stays.entered_at
        and (stays.left_at is null or contents_read.first_read_at < stays.left_at)
    group by stays.persona, stays.stage_rank
),

moves as (
    -- On the way up a phase ends when a higher one begins.
    select
        lower_stays.persona,
        lower_stays.stage_rank,
        higher_stays.evidence,
        count(*) as contacts
    from stays as lower_stays
    inner join stays as higher_stays
        on
            lower_stays.contact_id = higher_stays.contact_id
            and lower_stays.left_at = higher_stays.entered_at
    where lower_stays.stage_rank < higher_stays.stage_rank
    group by lower_stays.persona, lower_stays.stage_rank, higher_stays.evidence
),

next_steps as (
    select
        *,
        sum(contacts) over (partition by persona, stage_rank) as moved_on,
        row_number() over (
            partition by persona, stage_rank order by contacts desc, evidence asc
        ) as place
    from moves
),

passed as (
    select
        persona,
        stage_rank,
        sum(case when evidence <> 'lapsed' then 1 else 0 end) as entered,
        sum(case when left_at is null then 1 else 0 end) as contacts,
        MEDIAN(
            case when left_at is not null then DAYS_BETWEEN(entered_at, left_at) end
        ) as median_days
    from stays
    group by persona, stage_rank
)

select
    listed.persona,
    phases.phase,
    cast(phases.phase_rank as bigint) as phase_rank,
    cast(coalesce(passed.contacts, 0) as bigint) as contacts,
    cast(coalesce(passed.entered, 0) as bigint) as entered,
    cast(passed.median_days as decimal(18, 6)) as median_days,
    cast(coalesce(reads.contents_read, 0) as bigint) as contents_read,
    cast(coalesce(next_steps.moved_on, 0) as bigint) as moved_on,
    cast(
        RATIO(coalesce(next_steps.moved_on, 0), passed.entered) as decimal(18, 6)
    ) as moved_on_share,
    next_steps.evidence as next_step,
    cast(RATIO(next_steps.contacts, next_steps.moved_on) as decimal(18, 6)) as next_step_share
from listed
cross join phases
left join passed
    on listed.persona = passed.persona and phases.phase_rank = passed.stage_rank
left join reads
    on listed.persona = reads.persona and phases.phase_rank = reads.stage_rank
left join next_steps
    on
        listed.persona = next_steps.persona
        and phases.phase_rank = next_steps.stage_rank
        and next_steps.place = 1
