-- Whether the CRM's Frau or Herr can be believed, by the first names it goes with; else neutral.
-- answers: Do we write Frau, Herr, or neither?
-- owner: crm
-- grain: contact_id
{% set company = "(^| )(gmbh|kg|ag|ohg|gbr|ug|se|ltd|llc|plc|inc|e[.]? ?v[.]?)([ .]|$)" %}
{% set several = "[0-9&+/,@]|(^| )(familie|family|firma|team|und|and)([ .]|$)" %}
with profiles as (
    select
        contact_id,
        first_name,
        last_name,
        salutation_given
    from core.profiles
    where salutation_given is not null
),

first_names as (
    select * from seeds.first_names
),

folded as (
    select
        contact_id,
        salutation_given,
        case salutation_given when 'Frau' then 'f' when 'Herr' then 'm' end as sex,
        -- lower('Ö') is not the same on every engine; the list has no other such letters.
        replace(
            replace(
                replace(
                    replace(
                        replace(
                            replace(lower(first_name || '|' || last_name), 'Ä', 'ä'), 'Ö', 'ö'
                        ), 'Ü', 'ü'
                    ), 'É', 'é'
                ), 'Ş', 'ş'
            ), 'Ç', 'ç'
        ) as name
    from profiles
),

parted as (
    select
        contact_id,
        salutation_given,
        sex,
        replace(split_part(name, '|', 1), '-', ' ') as given_names,
        split_part(name, '|', 2) as family_name
    from folded
),

name_parts as (
    select
        *,
        split_part(given_names, ' ', 1) as first_part,
        split_part(given_names, ' ', 2) as second_part,
        split_part(given_names, ' ', 3) as third_part,
        split_part(given_names, ' ', 4) as fourth_part
    from parted
),

judged as (
    -- The CRM's word counts when every first name is one given to that sex only: two that agree.
    -- A first name alone is no reason to call anybody Frau or Herr, and an unknown one confirms
    -- nothing. Neutral too: companies, families, couples, and a last name that is a first name,
    -- for then the two may be swapped.
    select
        name_parts.contact_id,
        name_parts.salutation_given,
        case
            when firsts.sex <> name_parts.sex then 'contradicted'
            when
                firsts.sex = name_parts.sex
                and (name_parts.second_part = '' or seconds.sex = name_parts.sex)
                and (name_parts.third_part = '' or thirds.sex = name_parts.sex)
                and name_parts.fourth_part = ''
                and lasts.first_name is null
                and not name_parts.family_name ~ '{{ company }}|{{ several }}'
                then 'confirmed'
            else 'unconfirmed'
        end as salutation_verdict
    from name_parts
    left join first_names as firsts on name_parts.first_part = firsts.first_name
    left join first_names as seconds on name_parts.second_part = seconds.first_name
    left join first_names as thirds on name_parts.third_part = thirds.first_name
    left join first_names as lasts on name_parts.family_name = lasts.first_name
)

select
    contact_id,
    case when salutation_verdict = 'confirmed' then salutation_given end as salutation,
    salutation_verdict
from judged
