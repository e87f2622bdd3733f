"""The key that tells genuine mail events: set in the connection, or asked of the mail provider.

Documented at https://www.twilio.com/docs/sendgrid/api-reference/webhooks/get-signed-event-webhooks-public-key:
without an id it is the key of the account's oldest event webhook.
"""

from __future__ import annotations

import dataclasses
import logging
import threading
from collections.abc import Callable

from kreislauf.connections import Connection
from kreislauf.delivery.sendgrid import DEFAULT_HOST
from kreislauf.sources.errors import SourceError
from kreislauf.sources.http import Api
from kreislauf.web.webhook import Verifier

log = logging.getLogger(__name__)

PATIENCE = 24 * 3600.0
"""Seconds for which a provider that does not answer is asked; as long as it keeps refused events."""


def find_verifier(connection: Connection, patience: float = PATIENCE) -> Callable[[], Verifier | None]:
    """A function that gives the verifier of a connection's events, or None while its key is not known.

    Without extra `webhook_public_key` the provider is asked in the background, so that opt-outs work
    while it is down. If it refuses, the log says why and events stay refused.
    Raises ValueError if the extra is no key.
    """
    if key := connection.extra.get("webhook_public_key"):
        verifier = Verifier(key)
        return lambda: verifier
    found: list[Verifier] = []

    def ask() -> None:
        try:
            found.append(Verifier(fetch_public_key(connection, patience)))
        except (SourceError, ValueError) as error:
            log.error("mail events are refused until this is mended and the web app restarted: %s", error)
        else:
            log.info("the mail provider has told the key of its event webhook")

    threading.Thread(target=ask, name="webhook key", daemon=True).start()
    return lambda: found[0] if found else None


def fetch_public_key(connection: Connection, patience: float) -> str:
    """The public key (base64) with which the provider signs events; the API key must be allowed to read it.

    Asks again for `patience` seconds while there is no answer. Raises SourceError if there is none
    or a refusal, ValueError if the connection has no API key or the provider does not sign.
    """
    key = connection.secret()
    provider = dataclasses.replace(connection, host=connection.host or DEFAULT_HOST)
    api = Api(provider, lambda: {"Authorization": f"Bearer {key}"}, patience)
    if not (found := api.json("GET", "/v3/user/webhooks/event/settings/signed").get("public_key")):
        raise ValueError(
            f"connection {connection.conn_id!r}: the provider does not sign its events; switch on "
            "Signature Verification in its settings, under Mail Settings, Event Webhooks"
        )
    return found
