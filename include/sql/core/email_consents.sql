-- What holds for marketing mail to a person: the last thing it said, wherever it said it.
-- answers: Did this person agree to marketing mail, when, where and on what basis?
-- owner: crm
-- grain: contact_id
with ranked as (
    select
        contact_id,
        state,
        occurred_at,
        basis,
        source,
        row_number() over (
            partition by contact_id
            order by
                -- An open question does not overrule an answer.
                case when state = 'pending' then 2 else 1 end asc,
                occurred_at desc,
                -- At the same moment a revocation is the last word.
                case when state = 'revoked' then 1 else 2 end asc,
                source asc,
                source_id asc
        ) as place
    from core.consents
)

select
    contact_id,
    state,
    occurred_at,
    basis,
    source
from ranked
where place = 1
