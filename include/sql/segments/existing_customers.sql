-- Buyers of the last two years who neither gave nor refused consent: mail about similar products
-- may be allowed (in Germany section 7 (3) UWG), if they were told of their right to object.
-- owner: legal
-- grain: contact_id
{% set bought_within_days = 730 %}
with contacts as (
    select * from core.contacts
    where not is_archived
),

buyers as (
    select * from scores.rfm
)

select contacts.contact_id
from contacts
inner join buyers on contacts.contact_id = buyers.contact_id
where
    contacts.email_consent in ('none', 'pending')
    and contacts.email is not null
    and buyers.recency_days <= {{ bought_within_days }}
