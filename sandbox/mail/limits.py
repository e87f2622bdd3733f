"""SendGrid's rate limits: fixed windows of real time, told in X-RateLimit headers."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass

from sandbox.mail.errors import MailError


@dataclass(frozen=True)
class Limits:
    """Requests to mail/send a second, and to everything else a minute."""

    sends: int = 10_000
    send_seconds: int = 1
    others: int = 600
    other_seconds: int = 60


class RateLimiter:
    """Counts requests in windows. Kept in memory, safe between threads."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self._lock = threading.Lock()
        self._used: dict[bool, tuple[int, int]] = {}

    def admit(self, is_send: bool) -> dict[str, str]:
        """Count a request and return the headers of its answer. Raises MailError 429."""
        limits = self.limits
        allowed, seconds = (
            (limits.sends, limits.send_seconds) if is_send else (limits.others, limits.other_seconds)
        )
        window = int(time.time()) // seconds
        with self._lock:
            counted_in, used = self._used.get(is_send, (window, 0))
            if counted_in != window:
                used = 0
            refused = used >= allowed
            self._used[is_send] = (window, used if refused else used + 1)
        headers = {
            "X-RateLimit-Limit": str(allowed),
            "X-RateLimit-Remaining": str(max(allowed - used - 1, 0)),
            "X-RateLimit-Reset": str((window + 1) * seconds),
        }
        if refused:
            raise MailError(429, "too many requests", headers=headers)
        return headers
