"""HubSpot's object types, their own properties and association types, as far as the sandbox knows them."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Kind:
    """An object type: its names in paths, its timestamps, what is shown unasked, its properties by type."""

    plural: str
    singular: str
    type_id: str
    created: str
    modified: str
    shown: tuple[str, ...]
    properties: dict[str, str]
    required: tuple[str, ...] = field(default=())


_STRING = "string"

_CONTACT = dict.fromkeys(
    (
        "email",
        "firstname",
        "lastname",
        "salutation",
        "phone",
        "mobilephone",
        "jobtitle",
        "company",
        "associatedcompanyid",
        "address",
        "city",
        "zip",
        "state",
        "country",
        "website",
        "hs_language",
        "hs_timezone",
        "date_of_birth",
        "hs_persona",
        "hs_buying_role",
        "lifecyclestage",
        "hs_lead_status",
        "hs_analytics_source",
        "hubspot_owner_id",
        "hs_additional_emails",
        "hs_merged_object_ids",
        "message",
    ),
    _STRING,
) | {
    "createdate": "datetime",
    "lastmodifieddate": "datetime",
    "hs_object_id": "number",
    "hs_email_optout": "bool",
    "hubspotscore": "number",
    "followercount": "number",
    "num_associated_deals": "number",
    "recent_conversion_date": "datetime",
    "recent_conversion_event_name": _STRING,
    "closedate": "datetime",
}

_COMPANY = dict.fromkeys(
    (
        "name",
        "domain",
        "industry",
        "address",
        "city",
        "zip",
        "state",
        "country",
        "phone",
        "website",
        "description",
        "lifecyclestage",
        "hubspot_owner_id",
        "hs_merged_object_ids",
    ),
    _STRING,
) | {
    "createdate": "datetime",
    "hs_lastmodifieddate": "datetime",
    "hs_object_id": "number",
    "numberofemployees": "number",
    "annualrevenue": "number",
}

_DEAL = dict.fromkeys(
    (
        "dealname",
        "dealstage",
        "pipeline",
        "dealtype",
        "deal_currency_code",
        "description",
        "hubspot_owner_id",
        "closed_lost_reason",
        "hs_merged_object_ids",
    ),
    _STRING,
) | {
    "createdate": "datetime",
    "hs_lastmodifieddate": "datetime",
    "hs_object_id": "number",
    "amount": "number",
    "closedate": "datetime",
}

_ACTIVITY = {
    "hs_createdate": "datetime",
    "hs_lastmodifieddate": "datetime",
    "hs_object_id": "number",
    "hs_timestamp": "datetime",
    "hubspot_owner_id": _STRING,
}

_NOTE = _ACTIVITY | {"hs_note_body": _STRING, "hs_attachment_ids": _STRING}

_TASK = _ACTIVITY | {
    "hs_task_subject": _STRING,
    "hs_task_body": _STRING,
    "hs_task_status": _STRING,
    "hs_task_priority": _STRING,
    "hs_task_type": _STRING,
    "hs_task_reminders": _STRING,
}

_TICKET = dict.fromkeys(
    (
        "subject",
        "content",
        "hs_pipeline",
        "hs_pipeline_stage",
        "hs_ticket_category",
        "hs_ticket_priority",
        "source_type",
        "hubspot_owner_id",
        "hs_merged_object_ids",
    ),
    _STRING,
) | {
    "createdate": "datetime",
    "hs_lastmodifieddate": "datetime",
    "hs_object_id": "number",
    "closed_date": "datetime",
}

KINDS = {
    kind.plural: kind
    for kind in (
        Kind(
            "contacts",
            "contact",
            "0-1",
            "createdate",
            "lastmodifieddate",
            ("createdate", "email", "firstname", "hs_object_id", "lastmodifieddate", "lastname"),
            _CONTACT,
        ),
        Kind(
            "companies",
            "company",
            "0-2",
            "createdate",
            "hs_lastmodifieddate",
            ("createdate", "domain", "hs_lastmodifieddate", "hs_object_id", "name"),
            _COMPANY,
        ),
        Kind(
            "deals",
            "deal",
            "0-3",
            "createdate",
            "hs_lastmodifieddate",
            (
                "amount",
                "closedate",
                "createdate",
                "dealname",
                "dealstage",
                "hs_lastmodifieddate",
                "hs_object_id",
                "pipeline",
            ),
            _DEAL,
        ),
        Kind(
            "notes",
            "note",
            "0-46",
            "hs_createdate",
            "hs_lastmodifieddate",
            ("hs_createdate", "hs_lastmodifieddate", "hs_object_id"),
            _NOTE,
            required=("hs_timestamp",),
        ),
        Kind(
            "tasks",
            "task",
            "0-27",
            "hs_createdate",
            "hs_lastmodifieddate",
            ("hs_createdate", "hs_lastmodifieddate", "hs_object_id"),
            _TASK,
            required=("hs_timestamp",),
        ),
        Kind(
            "tickets",
            "ticket",
            "0-5",
            "createdate",
            "hs_lastmodifieddate",
            (
                "content",
                "createdate",
                "hs_lastmodifieddate",
                "hs_object_id",
                "hs_pipeline",
                "hs_pipeline_stage",
                "hs_ticket_category",
                "hs_ticket_priority",
                "subject",
            ),
            _TICKET,
            required=("subject", "hs_pipeline_stage"),
        ),
    )
}

OWNERS = "owners"
"""Stored like the other kinds (properties email, firstname, lastname, userid) but read-only and apart."""

KIND_BY_ANY_NAME = {
    name: kind for kind in KINDS.values() for name in (kind.plural, kind.singular, kind.type_id)
}

ASSOCIATION_TYPE_IDS = {
    ("contacts", "companies"): 279,
    ("companies", "contacts"): 280,
    ("deals", "contacts"): 3,
    ("contacts", "deals"): 4,
    ("deals", "companies"): 341,
    ("companies", "deals"): 342,
    ("notes", "contacts"): 202,
    ("contacts", "notes"): 201,
    ("notes", "companies"): 190,
    ("companies", "notes"): 189,
    ("notes", "deals"): 214,
    ("deals", "notes"): 213,
    ("tasks", "contacts"): 204,
    ("contacts", "tasks"): 203,
    ("tasks", "companies"): 192,
    ("companies", "tasks"): 191,
    ("tasks", "deals"): 216,
    ("deals", "tasks"): 215,
    ("tickets", "contacts"): 16,
    ("contacts", "tickets"): 15,
    ("tickets", "companies"): 339,
    ("companies", "tickets"): 340,
    ("tickets", "deals"): 28,
    ("deals", "tickets"): 27,
    ("notes", "tickets"): 228,
    ("tickets", "notes"): 227,
    ("tasks", "tickets"): 230,
    ("tickets", "tasks"): 229,
}
"""HubSpot's own, unlabelled association types."""

LIFECYCLE_STAGES = (
    "subscriber",
    "lead",
    "marketingqualifiedlead",
    "salesqualifiedlead",
    "opportunity",
    "customer",
    "evangelist",
    "other",
)
