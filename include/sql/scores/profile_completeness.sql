-- How much we know of a contact, 0 to 100, and the best question to ask next: the gap that weighs
-- most and that the contact was not asked about lately.
-- answers: How well do we know this contact? What do we ask it next?
-- owner: crm
-- grain: contact_id
{% set asked_within = 180 %}
{% set email_weight = 25 %}
{% set consent_weight = 15 %}
{% set name_weight = 15 %}
{% set interest_weight = 15 %}
{% set address_weight = 10 %}
{% set birthday_weight = 10 %}
{% set phone_weight = 5 %}
{% set role_weight = 5 %}
with contacts as (
    select * from core.contacts
    where not is_archived
),

answers as (
    select * from core.answers
),

answered as (
    select
        contact_id,
        max(case when question = 'interest' then 1 else 0 end) as knows_interest,
        max(case when question = 'role' then 1 else 0 end) as knows_role,
        -- Who was asked but gave no usable answer is not asked again at once.
        ';' || string_agg(
            case
                when DAYS_BETWEEN(answered_at, {{ as_of }}) <= {{ asked_within }} then question
            end, ';'
            order by question
        ) || ';' as asked
    from answers
    group by contact_id
),

missing as (
    select
        contacts.contact_id,
        coalesce(answered.asked, '') as asked,
        case when contacts.email is null then {{ email_weight }} else 0 end as email,
        -- A refusal is an answer.
        case
            when contacts.email_consent in ('none', 'pending') then {{ consent_weight }} else 0
        end as consent,
        case
            when contacts.first_name is null or contacts.last_name is null then {{ name_weight }}
            else 0
        end as name,
        case
            when coalesce(answered.knows_interest, 0) = 0 then {{ interest_weight }} else 0
        end as interest,
        case
            when contacts.zip is null or contacts.country_code is null then {{ address_weight }}
            else 0
        end as address,
        case when contacts.date_of_birth is null then {{ birthday_weight }} else 0 end as birthday,
        case when contacts.phone is null then {{ phone_weight }} else 0 end as phone,
        case
            when
                contacts.job_title is null
                and contacts.buying_role is null
                and coalesce(answered.knows_role, 0) = 0
                then {{ role_weight }}
            else 0
        end as role
    from contacts
    left join answered on contacts.contact_id = answered.contact_id
),

askable as (
    select
        *,
        case when asked like '%;name;%' then 0 else name end as ask_name,
        case when asked like '%;address;%' then 0 else address end as ask_address,
        case when asked like '%;birthday;%' then 0 else birthday end as ask_birthday,
        case when asked like '%;phone;%' then 0 else phone end as ask_phone
    from missing
)

select
    contact_id,
    cast(
        100 - (email + consent + name + interest + address + birthday + phone + role)
        as decimal(18, 6)
    ) as score,
    cast(
        floor(
            sign(email) + sign(consent) + sign(name) + sign(interest)
            + sign(address) + sign(birthday) + sign(phone) + sign(role)
        ) as bigint
    ) as missing,
    -- Address and consent are not asked for, they are given; of equal gaps the easiest question.
    case greatest(ask_name, interest, ask_address, ask_birthday, ask_phone, role)
        when 0 then null
        when interest then 'interest'
        when ask_name then 'name'
        when ask_birthday then 'birthday'
        when ask_address then 'address'
        when role then 'role'
        else 'phone'
    end as next_question
from askable
