-- The three contents a contact should see next: unread, in its language, for its phase and persona.
-- owner: content
-- grain: contact_id, position
-- answers: What shall we show this person next? What fits a lead that is stuck?
{% set contents_a_contact = 3 %}
with contacts as (
    select * from core.contacts
    where not is_archived
),

contents as (
    select * from seeds.contents
    where published_on <= cast({{ as_of }} as date)
),

contents_read as (
    select * from lifecycle.contents_read
),

personas as (
    select * from lifecycle.persona
),

known_personas as (
    select * from seeds.personas
),

phases as (
    select * from funnels.real
    where left_at is null
),

tastes as (
    -- Whom reason has won more often than feeling, or the other way round.
    select
        contents_read.contact_id,
        count(*) as contents_read,
        sum(case contents.appeal when 'rational' then 1 else -1 end) as leaning
    from contents_read
    inner join contents on contents_read.content_id = contents.content_id
    group by contents_read.contact_id
),

profiles as (
    select
        contacts.contact_id,
        contacts.language,
        coalesce(phases.stage_rank, 1) as phase_rank,
        coalesce(personas.persona, '') as persona,
        case
            when tastes.leaning > 0 then 'rational'
            when tastes.leaning < 0 then 'emotional'
            else ''
        end as appeal,
        coalesce(tastes.contents_read, 0) as contents_read
    from contacts
    left join phases on contacts.contact_id = phases.contact_id
    left join personas on contacts.contact_id = personas.contact_id
    left join tastes on contacts.contact_id = tastes.contact_id
),

languages as (
    select distinct language from contents
),

phase_ranks as (
    select 1 as phase_rank
    union all
    select 2 as phase_rank
    union all
    select 3 as phase_rank
    union all
    select 4 as phase_rank
),

audience as (
    select persona from known_personas
    union all
    select '' as persona
),

appeals as (
    select '' as appeal
    union all
    select 'rational' as appeal
    union all
    select 'emotional' as appeal
),

kinds as (
    -- Everybody there can be, so that a person's list depends on nobody else.
    select
        languages.language,
        phase_ranks.phase_rank,
        audience.persona,
        appeals.appeal
    from languages
    cross join phase_ranks
    cross join audience
    cross join appeals
),

offers as (
    select
        *,
        case phase
            when 'reach' then 1
            when 'engage' then 2
            when 'activate' then 3
            else 4
        end as phase_rank
    from contents
),

lists as (
    -- One list for all people of a kind: for their phase before the next, for them before for all.
    select
        kinds.language,
        kinds.phase_rank,
        kinds.persona,
        kinds.appeal,
        offers.content_id,
        row_number() over (
            partition by kinds.language, kinds.phase_rank, kinds.persona, kinds.appeal
            order by
                offers.phase_rank asc,
                case when offers.persona = kinds.persona then 1 else 2 end asc,
                case when offers.appeal = kinds.appeal then 1 else 2 end asc,
                offers.published_on desc,
                offers.content_id asc
        ) as place
    from kinds
    inner join offers
        on
            kinds.language = offers.language
            and coalesce(offers.persona, kinds.persona) = kinds.persona
            and offers.phase_rank between kinds.phase_rank and kinds.phase_rank + 1
),

offered as (
    select
        profiles.contact_id,
        profiles.contents_read,
        lists.content_id,
        lists.place
    from profiles
    inner join lists
        on
            profiles.language = lists.language
            and profiles.phase_rank = lists.phase_rank
            and profiles.persona = lists.persona
            and profiles.appeal = lists.appeal
            -- Further down nobody looks: what was read takes so many places at most.
            and lists.place <= {{ contents_a_contact }} + profiles.contents_read
),

unread as (
    -- Most have read nothing yet: for them the list is as it is.
    select
        contact_id,
        content_id,
        place as position
    from offered
    where contents_read = 0
    union all
    select
        offered.contact_id,
        offered.content_id,
        row_number() over (partition by offered.contact_id order by offered.place) as position
    from offered
    left join contents_read
        on
            offered.contact_id = contents_read.contact_id
            and offered.content_id = contents_read.content_id
    where offered.contents_read > 0 and contents_read.contact_id is null
)

select
    unread.contact_id,
    cast(unread.position as bigint) as position,
    contents.content_id,
    contents.title,
    contents.url,
    contents.topic,
    contents.phase,
    contents.persona,
    contents.appeal
from unread
inner join contents on unread.content_id = contents.content_id
where unread.position <= {{ contents_a_contact }}
