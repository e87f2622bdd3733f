"""Links into the web app. They carry a signed message key and nothing about the person."""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass, field

_SIGNATURE_LENGTH = 32

CONFIRM = "confirm"
"""What the token of a confirmation link is signed for."""


@dataclass(frozen=True)
class Links:
    """Builds and checks links. `secret` signs them: whoever has it can opt people out."""

    base_url: str
    secret: str = field(repr=False)

    def __post_init__(self) -> None:
        if not self.base_url.startswith(("https://", "http://")):
            raise ValueError("connection 'web': host must be the web app's public address, https://...")
        object.__setattr__(self, "base_url", self.base_url.rstrip("/"))
        if len(self.secret) < 16:
            raise ValueError("connection 'web': password must be a secret of at least 16 characters")

    def unsubscribe(self, message_key: str) -> str:
        """The address of the page on which the recipient of this message can object."""
        return f"{self.base_url}/unsubscribe/{self.token(message_key)}"

    def confirm(self, message_key: str) -> str:
        """The address of the page on which the recipient of this message confirms a consent."""
        return f"{self.base_url}/confirm/{self.token(message_key, CONFIRM)}"

    def token(self, message_key: str, purpose: str = "unsubscribe") -> str:
        """The message key, signed for one purpose: with a token for one thing nobody can do another."""
        return message_key + self._sign(message_key, purpose)

    def message_key(self, token: str, purpose: str = "unsubscribe") -> str | None:
        """The message key of a token, or None if we did not sign it for this. Takes constant time."""
        key, signature = token[:-_SIGNATURE_LENGTH], token[-_SIGNATURE_LENGTH:]
        is_ours = token.isascii() and hmac.compare_digest(signature, self._sign(key, purpose))
        return key if is_ours else None

    def _sign(self, message_key: str, purpose: str) -> str:
        text = f"{purpose} {message_key}".encode()
        return hmac.new(self.secret.encode(), text, hashlib.sha256).hexdigest()[:_SIGNATURE_LENGTH]
