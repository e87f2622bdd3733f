"""All streams, in the order in which they are listed anywhere."""

from __future__ import annotations

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
from kreislauf.sources.streams.shop import (
    SHOP_CHECKOUTS,
    SHOP_CUSTOMERS,
    SHOP_ORDERS,
    SHOP_PRODUCTS,
    SHOP_REFUNDS,
)
from kreislauf.sources.streams.site import SITE_EVENTS
from kreislauf.sources.streams.warehouse import MEMBERSHIP_CHANGES

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
    CRM_TICKETS,
    SITE_EVENTS,
    MAIL_EVENTS,
    LEDGER_MESSAGES,
    LEDGER_DECISIONS,
    LEDGER_SUPPRESSIONS,
    LEDGER_LINKS,
    LEDGER_EVENTS,
    LEDGER_CONSENTS,
    LEDGER_PUSH_SUBSCRIPTIONS,
    LEDGER_AUDIENCE_MEMBERS,
    AD_SPEND,
    POSTAL_RETURNS,
    ANNOUNCEMENTS,
    MEMBERSHIP_CHANGES,
)
