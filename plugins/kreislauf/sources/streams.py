"""What is read from where, and which typed columns become of it.

A stream is one resource of one source. Each page of it lands unchanged; the tables declared
here are its typed form, `raw.<table>`. Only declared columns reach the warehouse: a field that
is not listed is reported as drift and left in the landing zone.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta


@dataclass(frozen=True)
class Column:
    """A typed column and where its value stands in the record.

    `path` is a JSONPath such as `$.totalPriceSet.shopMoney.amount`. In a table with `explode`
    it is read from the child; a path that begins with `$parent.` is read from the record.
    `type` is one of VARCHAR, BIGINT, BOOLEAN, TIMESTAMP, DATE, DECIMAL(18,2), EPOCH (seconds
    since 1970, stored as TIMESTAMP), MILLIS (the same in milliseconds), JSON_LIST (an array of
    strings, stored as VARCHAR, joined with ";").
    `required`: a record without it goes to quarantine. `personal`: personal data, for erasure.
    """

    path: str
    type: str = "VARCHAR"
    required: bool = False
    personal: bool = False


@dataclass(frozen=True)
class Table:
    """A raw table: its columns by name, and the array it is made of (`explode`), if any."""

    columns: dict[str, Column]
    explode: str | None = None


@dataclass(frozen=True)
class Stream:
    """One resource of one source, and the raw tables it fills.

    `overlap` is taken back from the high-water mark at each window, for sources whose records
    become visible late. `snapshot`: the source has no change filter; every window reads it whole.
    `sparse`: a record has only the fields that apply to it, so an absent one is no drift.
    """

    source: str
    name: str
    tables: dict[str, Table]
    overlap: timedelta = timedelta(minutes=5)
    snapshot: bool = False
    sparse: bool = False
    known: frozenset[str] = field(default_factory=frozenset)
    """Top-level fields that are read by the connector itself or deliberately not loaded."""


def key(path: str = "$.id") -> Column:
    return Column(path, required=True)


def text(path: str) -> Column:
    return Column(path)


def personal(path: str) -> Column:
    return Column(path, personal=True)


def moment(path: str, required: bool = False) -> Column:
    return Column(path, "TIMESTAMP", required)


def money(path: str) -> Column:
    return Column(path, "DECIMAL(18,2)")


def whole(path: str) -> Column:
    return Column(path, "BIGINT")


def flag(path: str) -> Column:
    return Column(path, "BOOLEAN")


def prop(name: str, type: str = "VARCHAR", *, personal: bool = False) -> Column:
    """A HubSpot property."""
    return Column(f"$.properties.{name}", type, personal=personal)


# ---------------------------------------------------------------------------------------- shop

SHOP_CUSTOMERS = Stream(
    "shop",
    "customers",
    {
        "shop_customers": Table(
            {
                "customer_id": key(),
                "created_at": moment("$.createdAt"),
                "updated_at": moment("$.updatedAt", required=True),
                "first_name": personal("$.firstName"),
                "last_name": personal("$.lastName"),
                "email": personal("$.defaultEmailAddress.emailAddress"),
                "email_marketing_state": text("$.defaultEmailAddress.marketingState"),
                "email_marketing_opt_in_level": text("$.defaultEmailAddress.marketingOptInLevel"),
                "email_marketing_updated_at": moment("$.defaultEmailAddress.marketingUpdatedAt"),
                "email_valid_format": flag("$.defaultEmailAddress.validFormat"),
                "phone": personal("$.defaultPhoneNumber.phoneNumber"),
                "locale": text("$.locale"),
                "address_line": personal("$.defaultAddress.address1"),
                "zip": personal("$.defaultAddress.zip"),
                "city": personal("$.defaultAddress.city"),
                "country_code": text("$.defaultAddress.countryCodeV2"),
            }
        )
    },
)

SHOP_ORDERS = Stream(
    "shop",
    "orders",
    {
        "shop_orders": Table(
            {
                "order_id": key(),
                "order_name": text("$.name"),
                "customer_id": text("$.customer.id"),
                "email": personal("$.email"),
                "created_at": moment("$.createdAt", required=True),
                "processed_at": moment("$.processedAt"),
                "updated_at": moment("$.updatedAt", required=True),
                "cancelled_at": moment("$.cancelledAt"),
                "is_test": flag("$.test"),
                "currency": text("$.currencyCode"),
                "subtotal_amount": money("$.subtotalPriceSet.shopMoney.amount"),
                "discount_amount": money("$.totalDiscountsSet.shopMoney.amount"),
                "shipping_amount": money("$.totalShippingPriceSet.shopMoney.amount"),
                "tax_amount": money("$.totalTaxSet.shopMoney.amount"),
                "total_amount": money("$.totalPriceSet.shopMoney.amount"),
                "refunded_amount": money("$.totalRefundedSet.shopMoney.amount"),
                "discount_codes": Column("$.discountCodes", "JSON_LIST"),
                "financial_status": text("$.displayFinancialStatus"),
                "fulfillment_status": text("$.displayFulfillmentStatus"),
                "tags": Column("$.tags", "JSON_LIST"),
            }
        ),
        "shop_order_lines": Table(
            {
                "order_line_id": key(),
                "order_id": key("$parent.id"),
                "order_updated_at": moment("$parent.updatedAt", required=True),
                "product_id": text("$.product.id"),
                "variant_id": text("$.variant.id"),
                "sku": text("$.sku"),
                "title": text("$.title"),
                "quantity": whole("$.quantity"),
                "current_quantity": whole("$.currentQuantity"),
                "unit_amount": money("$.originalUnitPriceSet.shopMoney.amount"),
                "discount_amount": money("$.totalDiscountSet.shopMoney.amount"),
            },
            explode="$.lineItems.nodes",
        ),
    },
)

SHOP_REFUNDS = Stream(
    "shop",
    "refunds",
    {
        # One record is one refund with `order { id updatedAt }` and its lines.
        "shop_refunds": Table(
            {
                "refund_id": key(),
                "order_id": key("$.order.id"),
                "created_at": moment("$.createdAt", required=True),
                "updated_at": moment("$.updatedAt", required=True),
                "refunded_amount": money("$.totalRefundedSet.shopMoney.amount"),
                "note": text("$.note"),
            }
        ),
        "shop_refund_lines": Table(
            {
                "refund_line_id": key(),
                "refund_id": key("$parent.id"),
                "refund_updated_at": moment("$parent.updatedAt", required=True),
                "order_line_id": text("$.lineItem.id"),
                "quantity": whole("$.quantity"),
                "refunded_amount": money("$.subtotalSet.shopMoney.amount"),
            },
            explode="$.refundLineItems.nodes",
        ),
    },
)

SHOP_PRODUCTS = Stream(
    "shop",
    "products",
    {
        "shop_products": Table(
            {
                "product_id": key(),
                "title": text("$.title"),
                "product_type": text("$.productType"),
                "vendor": text("$.vendor"),
                "status": text("$.status"),
                "handle": text("$.handle"),
                "created_at": moment("$.createdAt"),
                "updated_at": moment("$.updatedAt", required=True),
                "url": text("$.onlineStoreUrl"),
                "image_url": text("$.featuredMedia.preview.image.url"),
                "unit_amount": money("$.priceRangeV2.minVariantPrice.amount"),
                "tags": Column("$.tags", "JSON_LIST"),
            }
        )
    },
)

SHOP_CHECKOUTS = Stream(
    "shop",
    "abandoned_checkouts",
    {
        "shop_checkouts": Table(
            {
                "checkout_id": key(),
                "created_at": moment("$.createdAt", required=True),
                "updated_at": moment("$.updatedAt", required=True),
                "completed_at": moment("$.completedAt"),
                "customer_id": text("$.customer.id"),
                "email": personal("$.customer.defaultEmailAddress.emailAddress"),
                "url": personal("$.abandonedCheckoutUrl"),
                "currency": text("$.totalPriceSet.shopMoney.currencyCode"),
                "total_amount": money("$.totalPriceSet.shopMoney.amount"),
            }
        ),
        "shop_checkout_lines": Table(
            {
                "checkout_line_id": key(),
                "checkout_id": key("$parent.id"),
                "checkout_updated_at": moment("$parent.updatedAt", required=True),
                "product_id": text("$.product.id"),
                "variant_id": text("$.variant.id"),
                "title": text("$.title"),
                "quantity": whole("$.quantity"),
                "unit_amount": money("$.originalUnitPriceSet.shopMoney.amount"),
                "image_url": text("$.image.url"),
            },
            explode="$.lineItems.nodes",
        ),
    },
)

# ----------------------------------------------------------------------------------------- CRM

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

# ---------------------------------------------------------------------- site, mail, own ledger

SITE_EVENTS = Stream(
    "site",
    "events",
    {
        # type: page_view, product_view, cart_add, search, content_download, form_submit, survey
        "site_events": Table(
            {
                "event_id": key("$.event_id"),
                "occurred_at": moment("$.occurred_at", required=True),
                "event_type": Column("$.type", required=True),
                "visitor_id": text("$.visitor_id"),
                "customer_id": text("$.customer_id"),
                "email": personal("$.email"),
                "url": text("$.url"),
                "product_id": text("$.product_id"),
                "content_id": text("$.content_id"),
                "topic": text("$.topic"),
                "search_query": text("$.query"),
                "seconds_on_page": whole("$.seconds_on_page"),
                "referred_by": text("$.referred_by"),
                "utm_source": text("$.utm_source"),
                "utm_medium": text("$.utm_medium"),
                "utm_campaign": text("$.utm_campaign"),
                "utm_content": text("$.utm_content"),
            }
        ),
        # What was answered in a form or survey.
        "site_answers": Table(
            {
                "event_id": key("$parent.event_id"),
                "occurred_at": moment("$parent.occurred_at", required=True),
                "question": key("$.question"),
                "answer": personal("$.answer"),
            },
            explode="$.answers",
        ),
    },
    sparse=True,
)

MAIL_EVENTS = Stream(
    "mail",
    "events",
    {
        # SendGrid's event webhook; mk and bk are our custom arguments (message and batch key).
        "mail_events": Table(
            {
                "event_id": key("$.sg_event_id"),
                "occurred_at": Column("$.timestamp", "EPOCH", required=True),
                "event_type": Column("$.event", required=True),
                "email": personal("$.email"),
                "message_key": text("$.mk"),
                "batch_id": text("$.bk"),
                "provider_message_id": text("$.sg_message_id"),
                "url": text("$.url"),
                "url_index": whole("$.url_offset.index"),
                "bounce_type": text("$.type"),
                "reason": text("$.reason"),
                "status": text("$.status"),
                "is_machine_open": flag("$.sg_machine_open"),
            }
        )
    },
    sparse=True,
    known=frozenset(
        {
            *("useragent", "ip", "smtp-id", "category", "attempt", "response", "tls", "sg_content_type"),
            *("asm_group_id", "bounce_classification", "pool", "sg_template_id", "sg_template_name"),
        }
    ),
)

LEDGER_MESSAGES = Stream(
    "ledger",
    "messages",
    {
        "ledger_messages": Table(
            {
                "message_key": key(),
                "flow": text("$.flow"),
                "step": text("$.step"),
                "variant": text("$.variant"),
                "contact_id": text("$.contact_id"),
                "occurrence_id": text("$.occurrence_id"),
                "batch_id": text("$.batch_id"),
                "state": text("$.state"),
                "reason": text("$.reason"),
                "planned_as_of": moment("$.planned_as_of"),
                "answered_at": moment("$.answered_at"),
                "updated_at": moment("$.updated_at", required=True),
            }
        )
    },
)

LEDGER_DECISIONS = Stream(
    "ledger",
    "decisions",
    {
        "ledger_decisions": Table(
            {
                "decision_id": key(),
                "flow": text("$.flow"),
                "step": text("$.step"),
                "contact_id": text("$.contact_id"),
                "occurrence_id": text("$.occurrence_id"),
                "variant": text("$.variant"),
                "reason": text("$.reason"),
                "as_of": moment("$.as_of"),
                "updated_at": moment("$.updated_at", required=True),
            }
        )
    },
)

LEDGER_SUPPRESSIONS = Stream(
    "ledger",
    "suppressions",
    {
        "ledger_suppressions": Table(
            {
                "suppression_id": key(),
                "email": personal("$.address"),
                "contact_id": text("$.contact_id"),
                "channel": text("$.channel"),
                "topic": text("$.topic"),
                "reason": text("$.reason"),
                "source": text("$.source"),
                "created_at": moment("$.created_at"),
                "lifted_at": moment("$.lifted_at"),
                "updated_at": moment("$.updated_at", required=True),
            }
        )
    },
)

LEDGER_LINKS = Stream(
    "ledger",
    "links",
    {
        # The links of what was sent; a click's URL ends with utm_content=<step>.<slot>.
        "ledger_links": Table(
            {
                "flow": key("$.flow"),
                "step": key("$.step"),
                "variant": text("$.variant"),
                "language": key("$.language"),
                "template_version": key("$.template_version"),
                "slot": key("$.slot"),
                "kind": text("$.kind"),
                "target": text("$.target"),
                "label": text("$.label"),
                "updated_at": moment("$.updated_at", required=True),
            }
        )
    },
)

# --------------------------------------------------------------------------------------- files

IN_FILE = frozenset({"_file", "_line", "_fault"})
"""What the connector adds to each record, so that quarantine says where it stood."""

AD_SPEND = Stream(
    "files",
    "ad_spend",
    {
        "ad_spend": Table(
            {
                "day": Column("$.day", "DATE", required=True),
                "platform": key("$.platform"),
                "campaign": key("$.campaign"),
                "currency": key("$.currency"),
                "amount": Column("$.amount", "DECIMAL(18,2)", required=True),
                "impressions": whole("$.impressions"),
                "clicks": whole("$.clicks"),
            }
        )
    },
    known=IN_FILE,
)

POSTAL_RETURNS = Stream(
    "files",
    "postal_returns",
    {
        "postal_returns": Table(
            {
                "return_id": key("$.return_id"),
                "returned_on": Column("$.returned_on", "DATE", required=True),
                "customer_id": text("$.customer_id"),
                "email": personal("$.email"),
                "reason": text("$.reason"),
            }
        )
    },
    known=IN_FILE,
)

# ------------------------------------------------------------------------------- the warehouse

MEMBERSHIP_CHANGES = Stream(
    "warehouse",
    "membership_changes",
    {
        # Who entered (1) and who left (-1) what, as of a published moment; a correction may take
        # back an earlier row, so what holds at a moment is the sum up to it.
        "membership_changes": Table(
            {
                # The contact_id of that moment; the record may have joined an older one since.
                "record_id": key("$.record_id"),
                "kind": key("$.kind"),
                "name": key("$.name"),
                "as_of": moment("$.as_of", required=True),
                "change": Column("$.change", "BIGINT", required=True),
            }
        )
    },
)

STREAMS = (
    SHOP_CUSTOMERS,
    SHOP_ORDERS,
    SHOP_REFUNDS,
    SHOP_PRODUCTS,
    SHOP_CHECKOUTS,
    CRM_CONTACTS,
    CRM_COMPANIES,
    CRM_DEALS,
    CRM_OWNERS,
    CRM_NOTES,
    SITE_EVENTS,
    MAIL_EVENTS,
    LEDGER_MESSAGES,
    LEDGER_DECISIONS,
    LEDGER_SUPPRESSIONS,
    LEDGER_LINKS,
    AD_SPEND,
    POSTAL_RETURNS,
    MEMBERSHIP_CHANGES,
)

LINEAGE_COLUMNS = {"_run": "VARCHAR", "_line": "BIGINT", "_extracted_at": "TIMESTAMP"}
"""On every raw table: the extraction it came with (sorts by time), its line there, and its moment."""
