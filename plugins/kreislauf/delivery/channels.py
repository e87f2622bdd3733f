"""The channels: through which connection each goes, and how many messages make a batch."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from kreislauf.connections import Connection
from kreislauf.delivery.transport import Transport, transport_for
from kreislauf.ledger.schema import Channel

if TYPE_CHECKING:
    from kreislauf.delivery.links import Links
    from kreislauf.ledger.store import Ledger

Maker = Callable[[Connection, "Ledger", "Links"], Transport]


@dataclass(frozen=True)
class Way:
    """How a channel's messages go out.

    :param connection: the id of its Airflow connection
    :param make: its transport
    :param suffix: of its templates
    :param batch_size: the most messages in a batch: a request's limit, or, where each is a request of its
        own, what may be in doubt after a crash
    """

    connection: str
    make: Maker
    suffix: str
    batch_size: int


def _mail(connection: Connection, ledger: Ledger, links: Links) -> Transport:
    return transport_for(connection)


def _sms(connection: Connection, ledger: Ledger, links: Links) -> Transport:
    from kreislauf.delivery.sms import SmsTransport

    return SmsTransport.of(connection, links)


def _push(connection: Connection, ledger: Ledger, links: Links) -> Transport:
    from kreislauf.delivery.push import PushTransport

    return PushTransport.of(connection, ledger, links)


def _crm(connection: Connection, ledger: Ledger, links: Links) -> Transport:
    from kreislauf.delivery.crm import CrmTransport

    return CrmTransport.of(connection)


def _webhook(connection: Connection, ledger: Ledger, links: Links) -> Transport:
    from kreislauf.delivery.webhook import WebhookTransport

    return WebhookTransport.of(connection)


def _onsite(connection: Connection, ledger: Ledger, links: Links) -> Transport:
    from kreislauf.delivery.own import OnsiteTransport

    return OnsiteTransport.of(connection)


def _audience(connection: Connection, ledger: Ledger, links: Links) -> Transport:
    from kreislauf.delivery.own import AudienceTransport

    return AudienceTransport.of(connection)


WAYS: Mapping[Channel, Way] = {
    Channel.EMAIL: Way("sendgrid", _mail, "mjml", batch_size=1_000),
    Channel.SMS: Way("sms", _sms, "yaml", batch_size=50),
    Channel.PUSH: Way("push", _push, "yaml", batch_size=50),
    Channel.ONSITE: Way("web", _onsite, "yaml", batch_size=1_000),
    Channel.CRM: Way("crm", _crm, "yaml", batch_size=100),
    Channel.WEBHOOK: Way("webhook", _webhook, "yaml", batch_size=100),
    Channel.AUDIENCE: Way("web", _audience, "yaml", batch_size=1_000),
}
