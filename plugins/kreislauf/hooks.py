"""From Airflow's connections to the systems they name. Called inside tasks, never while a DAG is parsed."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from kreislauf.connections import Connection
from kreislauf.places import home

if TYPE_CHECKING:
    from kreislauf.delivery.links import Links
    from kreislauf.delivery.transport import Transport
    from kreislauf.landing.zone import LandingZone
    from kreislauf.ledger.schema import Channel
    from kreislauf.ledger.store import Ledger
    from kreislauf.sources.base import Source
    from kreislauf.sources.hubspot import HubspotSource
    from kreislauf.sources.shopify import ShopifySource
    from kreislauf.sources.streams import Stream
    from kreislauf.warehouse.engines.base import Engine


def connection(conn_id: str) -> Connection:
    """An Airflow connection as plain data. Raises AirflowNotFoundException if Airflow does not know it."""
    from airflow.sdk import Connection as AirflowConnection

    found = AirflowConnection.get(conn_id)
    return Connection(
        conn_id=conn_id,
        conn_type=found.conn_type or "",
        host=found.host or "",
        port=found.port,
        login=found.login,
        password=found.password,
        schema=found.schema,
        extra=found.extra_dejson,
    )


def landing() -> LandingZone:
    """The landing zone at `KREISLAUF_LANDING`, a URL that Airflow's object storage understands."""
    from airflow.sdk import ObjectStoragePath

    from kreislauf.landing.zone import LandingZone

    return LandingZone(ObjectStoragePath(os.environ.get("KREISLAUF_LANDING") or f"file://{home()}/landing"))


def warehouse() -> Engine:
    from kreislauf.warehouse.engines import engine_for

    return engine_for(connection("warehouse"))


def ledger() -> Ledger:
    from kreislauf.ledger.store import Ledger

    return Ledger.open(connection("ledger"))


def transport(channel: Channel) -> Transport:
    """What sends the messages of a channel, over the connection that kreislauf.delivery.channels names."""
    from kreislauf.delivery.channels import WAYS

    way = WAYS[channel]
    return way.make(connection(way.connection), ledger(), links())


def links() -> Links:
    from kreislauf.delivery.links import Links

    web = connection("web")
    return Links(web.url, web.secret())


def shop() -> ShopifySource:
    from kreislauf.sources.shopify import ShopifySource

    return ShopifySource(connection("shop"))


def crm() -> HubspotSource:
    from kreislauf.sources.hubspot import HubspotSource

    return HubspotSource(connection("crm"))


def source(stream: Stream) -> Source:
    """What a stream is read from. Raises ValueError for a source that is not known here."""
    from kreislauf.sources.files import FilesInbox
    from kreislauf.sources.inbox import Inbox
    from kreislauf.sources.ledger import LedgerSource

    match stream.source:
        case "shop":
            return shop()
        case "crm":
            return crm()
        case "site":
            return Inbox(landing(), "site_events")
        case "mail":
            return Inbox(landing(), "mail_events")
        case "ledger":
            return LedgerSource(ledger())
        case "files":
            return FilesInbox(landing(), stream.name)
    raise ValueError(f"no source is known for {stream.source!r}; add it to kreislauf.hooks.source")
