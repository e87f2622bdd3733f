-- Buyers who have probably left.
-- owner: crm
-- grain: contact_id
with buyers as (
    select * from scores.churn_risk
)

select contact_id
from buyers
where band = 'high'
