-- The moments at which a person told us in a survey how content it is: about the case or the order
-- that the survey's link names, which is an occurrence of triggers.feedback_due.
-- owner: crm
-- grain: contact_id, occurrence_id, occurred_at
with answers as (
    select * from core.form_answers
    where question in ('satisfaction', 'recommend') and form is not null
)

select distinct
    contact_id,
    form as occurrence_id,
    answered_at as occurred_at
from answers
