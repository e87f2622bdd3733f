"""HubSpot's rate limits: 190 requests in any 10 seconds, 5 searches in any second, a daily quota."""

from __future__ import annotations

import threading
import time
from collections import deque
from dataclasses import dataclass

from sandbox.crm.errors import CrmError


@dataclass(frozen=True)
class Limits:
    """How much an account may ask: the figures of a professional subscription."""

    burst: int = 190
    burst_seconds: float = 10.0
    searches: int = 5
    search_seconds: float = 1.0
    daily: int = 650_000


class RateLimiter:
    """Counts requests in sliding windows of real time. Kept in memory, safe between threads."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self._lock = threading.Lock()
        self._burst: deque[float] = deque()
        self._searches: deque[float] = deque()
        self._today = (0, 0)

    def admit(self, is_search: bool) -> dict[str, str]:
        """Count a request and return the headers of its answer. Raises CrmError 429.

        A refused request does not count. Search answers carry no such headers, as at HubSpot.
        """
        limits, now = self.limits, time.monotonic()
        day = int(time.time() // 86400)
        with self._lock:
            used_today = self._today[1] if self._today[0] == day else 0
            if used_today >= limits.daily:
                raise _refused("daily", "DAILY", {})
            if is_search:
                if _used(self._searches, now, limits.search_seconds) >= limits.searches:
                    raise _refused("secondly", "SECONDLY", {})
                self._searches.append(now)
            elif _used(self._burst, now, limits.burst_seconds) >= limits.burst:
                raise _refused("ten_secondly_rolling", "TEN_SECONDLY_ROLLING", self._headers(0, used_today))
            else:
                self._burst.append(now)
            self._today = (day, used_today + 1)
            return {} if is_search else self._headers(limits.burst - len(self._burst), used_today + 1)

    def _headers(self, remaining: int, used_today: int) -> dict[str, str]:
        return {
            "X-HubSpot-RateLimit-Daily": str(self.limits.daily),
            "X-HubSpot-RateLimit-Daily-Remaining": str(self.limits.daily - used_today),
            "X-HubSpot-RateLimit-Interval-Milliseconds": str(round(self.limits.burst_seconds * 1000)),
            "X-HubSpot-RateLimit-Max": str(self.limits.burst),
            "X-HubSpot-RateLimit-Remaining": str(remaining),
        }


def _used(window: deque[float], now: float, seconds: float) -> int:
    while window and window[0] <= now - seconds:
        window.popleft()
    return len(window)


def _refused(limit: str, policy: str, headers: dict[str, str]) -> CrmError:
    error = CrmError(
        429,
        f"You have reached your {limit} limit.",
        "RATE_LIMITS",
        errorType="RATE_LIMIT",
        policyName=policy,
    )
    error.headers = headers
    return error
