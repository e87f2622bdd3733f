"""HubSpot: the properties asked for."""

from __future__ import annotations

from kreislauf.sources.streams.model import Stream, Table, flag, key, moment, personal, prop

HUBSPOT_ALWAYS = frozenset(
    {
        "archivedAt",
        "url",
        "objectWriteTraceId",
        "properties.hs_object_id",
        "properties.createdate",
        "properties.lastmodifieddate",
        "properties.hs_createdate",
        "properties.hs_lastmodifieddate",
    }
)
"""What HubSpot sends with every object, asked for or not; the columns are read from its twins at the top."""

CRM_CONTACTS = Stream(
    "crm",
    "contacts",
    {
        "crm_contacts": Table(
            {
                "crm_contact_id": key(),
                "created_at": moment("$.createdAt", required=True),
                "updated_at": moment("$.updatedAt", required=True),
                "is_archived": flag("$.archived"),
                "email": prop("email", personal=True),
                "additional_emails": prop("hs_additional_emails", personal=True),
                "first_name": prop("firstname", personal=True),
                "last_name": prop("lastname", personal=True),
                "salutation": prop("salutation"),
                "phone": prop("phone", personal=True),
                "job_title": prop("jobtitle"),
                "company_name": prop("company"),
                "company_id": prop("associatedcompanyid"),
                "address_line": prop("address", personal=True),
                "zip": prop("zip", personal=True),
                "city": prop("city", personal=True),
                "country": prop("country"),
                "language": prop("hs_language"),
                "timezone": prop("hs_timezone"),
                "date_of_birth": prop("date_of_birth", personal=True),
                "member_since": prop("member_since"),
                "contract_end": prop("contract_end"),
                "baby_due": prop("baby_due", personal=True),
                "persona": prop("hs_persona"),
                "buying_role": prop("hs_buying_role"),
                "followers": prop("followercount", "BIGINT"),
                # Not HubSpot's own; a portal without them gives NULL.
                "bant_budget": prop("bant_budget", "DECIMAL(18,2)"),
                "bant_authority": prop("bant_authority"),
                "bant_need": prop("bant_need"),
                "bant_timeframe": prop("bant_timeframe"),
                "bant_project": prop("bant_project", "BOOLEAN"),
                "lifecycle_stage": prop("lifecyclestage"),
                "lead_status": prop("hs_lead_status"),
                "owner_id": prop("hubspot_owner_id"),
                "has_opted_out": prop("hs_email_optout", "BOOLEAN"),
                "merged_ids": prop("hs_merged_object_ids"),
            }
        )
    },
    known=HUBSPOT_ALWAYS,
)

CRM_COMPANIES = Stream(
    "crm",
    "companies",
    {
        "crm_companies": Table(
            {
                "company_id": key(),
                "created_at": moment("$.createdAt", required=True),
                "updated_at": moment("$.updatedAt", required=True),
                "is_archived": flag("$.archived"),
                "company_name": prop("name"),
                "domain": prop("domain"),
                "industry": prop("industry"),
                "employees": prop("numberofemployees", "BIGINT"),
                "city": prop("city"),
                "country": prop("country"),
            }
        )
    },
    known=HUBSPOT_ALWAYS,
)

CRM_DEALS = Stream(
    "crm",
    "deals",
    {
        "crm_deals": Table(
            {
                "deal_id": key(),
                "created_at": moment("$.createdAt", required=True),
                "updated_at": moment("$.updatedAt", required=True),
                "is_archived": flag("$.archived"),
                "deal_name": prop("dealname"),
                "deal_stage": prop("dealstage"),
                "pipeline": prop("pipeline"),
                "amount": prop("amount", "DECIMAL(18,2)"),
                "currency": prop("deal_currency_code"),
                "closed_at": prop("closedate", "TIMESTAMP"),
                "owner_id": prop("hubspot_owner_id"),
            }
        ),
        "crm_deal_contacts": Table(
            {
                "deal_id": key("$parent.id"),
                "deal_updated_at": moment("$parent.updatedAt", required=True),
                "crm_contact_id": key(),
            },
            explode="$.associations.contacts.results",
        ),
    },
    known=HUBSPOT_ALWAYS,
)

CRM_OWNERS = Stream(
    "crm",
    "owners",
    {
        "crm_owners": Table(
            {
                "owner_id": key(),
                "updated_at": moment("$.updatedAt", required=True),
                "email": personal("$.email"),
                "first_name": personal("$.firstName"),
                "last_name": personal("$.lastName"),
                "is_archived": flag("$.archived"),
            }
        )
    },
    snapshot=True,
    known=frozenset({"createdAt", "type", "userId", "userIdIncludingInactive", "teams"}),
)

CRM_NOTES = Stream(
    "crm",
    "notes",
    {
        "crm_notes": Table(
            {
                "note_id": key(),
                "created_at": moment("$.createdAt", required=True),
                "updated_at": moment("$.updatedAt", required=True),
                "is_archived": flag("$.archived"),
                "noted_at": prop("hs_timestamp", "TIMESTAMP"),
                "body": prop("hs_note_body", personal=True),
                "owner_id": prop("hubspot_owner_id"),
            }
        ),
        "crm_note_contacts": Table(
            {
                "note_id": key("$parent.id"),
                "note_updated_at": moment("$parent.updatedAt", required=True),
                "crm_contact_id": key(),
            },
            explode="$.associations.contacts.results",
        ),
    },
    known=HUBSPOT_ALWAYS,
)

CRM_TICKETS = Stream(
    "crm",
    "tickets",
    {
        "crm_tickets": Table(
            {
                "ticket_id": key(),
                "created_at": moment("$.createdAt", required=True),
                "updated_at": moment("$.updatedAt", required=True),
                "is_archived": flag("$.archived"),
                "subject": prop("subject", personal=True),
                "category": prop("hs_ticket_category"),
                "closed_at": prop("closed_date", "TIMESTAMP"),
                "owner_id": prop("hubspot_owner_id"),
            }
        ),
        "crm_ticket_contacts": Table(
            {
                "ticket_id": key("$parent.id"),
                "ticket_updated_at": moment("$parent.updatedAt", required=True),
                "crm_contact_id": key(),
            },
            explode="$.associations.contacts.results",
        ),
    },
    known=HUBSPOT_ALWAYS,
)
