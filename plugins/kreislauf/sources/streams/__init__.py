"""What is read from where, and which typed columns become of it.

A stream is one resource of one source. Each page of it lands unchanged; the tables declared
here are its typed form, `raw.<table>`. Only declared columns reach the warehouse: a field that
is not listed is reported as drift and left in the landing zone.
"""

from kreislauf.sources.streams.crm import (
    CRM_COMPANIES,
    CRM_CONTACTS,
    CRM_DEALS,
    CRM_NOTES,
    CRM_OWNERS,
    CRM_TICKETS,
)
from kreislauf.sources.streams.files import AD_SPEND, ANNOUNCEMENTS, POSTAL_RETURNS
from kreislauf.sources.streams.ledger import (
    LEDGER_AUDIENCE_MEMBERS,
    LEDGER_CONSENTS,
    LEDGER_DECISIONS,
    LEDGER_EVENTS,
    LEDGER_LINKS,
    LEDGER_MESSAGES,
    LEDGER_PUSH_SUBSCRIPTIONS,
    LEDGER_SUPPRESSIONS,
)
from kreislauf.sources.streams.mail import MAIL_EVENTS
from kreislauf.sources.streams.model import LINEAGE_COLUMNS, Column, Stream, Table
from kreislauf.sources.streams.registry import STREAMS
from kreislauf.sources.streams.shop import (
    SHOP_CHECKOUTS,
    SHOP_CUSTOMERS,
    SHOP_ORDERS,
    SHOP_PRODUCTS,
    SHOP_REFUNDS,
)
from kreislauf.sources.streams.site import SITE_EVENTS
from kreislauf.sources.streams.warehouse import MEMBERSHIP_CHANGES

__all__ = [
    "AD_SPEND",
    "ANNOUNCEMENTS",
    "CRM_COMPANIES",
    "CRM_CONTACTS",
    "CRM_DEALS",
    "CRM_NOTES",
    "CRM_OWNERS",
    "CRM_TICKETS",
    "LEDGER_AUDIENCE_MEMBERS",
    "LEDGER_CONSENTS",
    "LEDGER_DECISIONS",
    "LEDGER_EVENTS",
    "LEDGER_LINKS",
    "LEDGER_MESSAGES",
    "LEDGER_PUSH_SUBSCRIPTIONS",
    "LEDGER_SUPPRESSIONS",
    "LINEAGE_COLUMNS",
    "MAIL_EVENTS",
    "MEMBERSHIP_CHANGES",
    "POSTAL_RETURNS",
    "SHOP_CHECKOUTS",
    "SHOP_CUSTOMERS",
    "SHOP_ORDERS",
    "SHOP_PRODUCTS",
    "SHOP_REFUNDS",
    "SITE_EVENTS",
    "STREAMS",
    "Column",
    "Stream",
    "Table",
]
