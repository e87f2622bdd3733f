-- Big spenders who have probably left: worth a call.
-- owner: crm
-- grain: contact_id
with big_spenders as (
    select * from segments.big_spenders
),

high_churn_risk as (
    select * from segments.high_churn_risk
)

select big_spenders.contact_id
from big_spenders
inner join high_churn_risk on big_spenders.contact_id = high_churn_risk.contact_id
