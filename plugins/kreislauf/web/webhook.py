"""Is this batch of events from SendGrid? Its signature says so.

Documented at https://www.twilio.com/docs/sendgrid/for-developers/tracking-events/getting-started-event-webhook-security-features:
ECDSA with P-256 and SHA-256 over the timestamp header and the raw body.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import Any

SIGNATURE_HEADER = "X-Twilio-Email-Event-Webhook-Signature"
TIMESTAMP_HEADER = "X-Twilio-Email-Event-Webhook-Timestamp"

MAX_AGE = timedelta(hours=25)
"""SendGrid repeats a refused post for 24 hours, and does not say whether it signs it anew. A replay
within that time is harmless: events are recorded once by their id."""

_MAX_AHEAD = timedelta(minutes=5)
_SECONDS = re.compile(r"[0-9]{1,11}")


class Verifier:
    """Checks signatures with the public key that SendGrid shows in its settings (base64)."""

    def __init__(self, public_key: str, max_age: timedelta = MAX_AGE) -> None:
        """Raises ValueError if the key is not an elliptic curve public key."""
        from sendgrid.helpers.eventwebhook import EventWebhook

        self._webhook = EventWebhook()
        try:
            self._key: Any = self._webhook.convert_public_key_to_ecdsa(public_key)
        except Exception as error:  # the library passes on whatever base64 and cryptography raise
            raise ValueError(
                "extra 'webhook_public_key' of connection 'sendgrid' is not the verification key that "
                "SendGrid shows under Mail Settings, Event Webhook"
            ) from error
        self._max_age = max_age

    def is_genuine(self, body: bytes, signature: str, timestamp: str, now: datetime) -> bool:
        """Whether SendGrid signed this body, and not too long ago."""
        if not _SECONDS.fullmatch(timestamp) or not signature:
            return False
        age = timedelta(seconds=now.timestamp() - int(timestamp))
        if not -_MAX_AHEAD <= age <= self._max_age:
            return False
        try:
            return bool(self._webhook.verify_signature(body.decode("utf-8"), signature, timestamp, self._key))
        except ValueError:  # not UTF-8, not base64, not a signature
            return False
