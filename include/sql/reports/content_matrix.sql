-- Contents by phase, persona and appeal: what there is, who reads it, whom it moves; gaps included.
-- owner: content
-- grain: phase, persona, appeal
-- answers: For whom do we lack content? Which content moves people into the next phase?
{% set moves_within = 30 %}
with contents as (
    select
        *,
        coalesce(persona, 'everyone') as reader,
        case phase
            when 'reach' then 1
            when 'engage' then 2
            when 'activate' then 3
            else 4
        end as phase_rank
    from seeds.contents
),

personas as (
    select persona from seeds.personas
    union all
    select 'everyone' as persona
),

contents_read as (
    select * from lifecycle.contents_read
),

rises as (
    select
        contact_id,
        stage_rank,
        entered_at
    from funnels.real
    where evidence <> 'lapsed'
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

appeals as (
    select 'rational' as appeal
    union all
    select 'emotional' as appeal
),

inventory as (
    select
        phase,
        reader,
        appeal,
        count(*) as contents,
        count(distinct language) as languages
    from contents
    group by phase, reader, appeal
),

readers as (
    select
        contents.phase_rank,
        contents.reader,
        contents.appeal,
        contents_read.contact_id,
        sum(contents_read.reads) as reads,
        min(contents_read.first_read_at) as first_read_at
    from contents_read
    inner join contents on contents_read.content_id = contents.content_id
    group by
        contents.phase_rank, contents.reader, contents.appeal, contents_read.contact_id
),

outcomes as (
    -- When each reader first came further than the phase that the content is for.
    select
        readers.phase_rank,
        readers.reader,
        readers.appeal,
        readers.reads,
        readers.first_read_at,
        min(rises.entered_at) as moved_on_at
    from readers
    left join rises
        on
            readers.contact_id = rises.contact_id
            and readers.phase_rank < rises.stage_rank
    group by
        readers.phase_rank,
        readers.reader,
        readers.appeal,
        readers.contact_id,
        readers.reads,
        readers.first_read_at
),

flagged as (
    select
        *,
        -- Only who had not come further before can be moved, and only after a while can we tell.
        phase_rank < 4
        and (moved_on_at is null or moved_on_at >= first_read_at)
        and DAYS_BETWEEN(first_read_at, {{ as_of }}) >= {{ moves_within }} as is_counted,
        DAYS_BETWEEN(first_read_at, moved_on_at) <= {{ moves_within }} as has_moved_on
    from outcomes
),

readership as (
    select
        phase_rank,
        reader,
        appeal,
        count(*) as readers,
        sum(reads) as reads,
        sum(case when is_counted then 1 else 0 end) as readers_counted,
        sum(case when is_counted and has_moved_on then 1 else 0 end) as moved_on
    from flagged
    group by phase_rank, reader, appeal
)

select
    phases.phase,
    personas.persona,
    appeals.appeal,
    cast(coalesce(inventory.contents, 0) as bigint) as contents,
    cast(coalesce(inventory.languages, 0) as bigint) as languages,
    cast(coalesce(readership.reads, 0) as bigint) as reads,
    cast(coalesce(readership.readers, 0) as bigint) as readers,
    cast(coalesce(readership.readers_counted, 0) as bigint) as readers_counted,
    cast(coalesce(readership.moved_on, 0) as bigint) as moved_on,
    cast(RATIO(readership.moved_on, readership.readers_counted) as decimal(18, 6)) as moved_on_share
from phases
cross join personas
cross join appeals
left join inventory
    on
        phases.phase = inventory.phase
        and personas.persona = inventory.reader
        and appeals.appeal = inventory.appeal
left join readership
    on
        phases.phase_rank = readership.phase_rank
        and personas.persona = readership.reader
        and appeals.appeal = readership.appeal
