"""Lets a world's clock follow the real one, for as long as the sandbox runs."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime

log = logging.getLogger(__name__)


class Live:
    """Calls `advance` with the present moment, again and again, once it has been begun."""

    def __init__(self, advance: Callable[[datetime], object], every: float = 20.0) -> None:
        self._advance = advance
        self._every = every
        # A daemon: it ends with the sandbox, at any moment, as the clock's transactions allow.
        self._thread = threading.Thread(target=self._follow, name="live", daemon=True)
        self._beginning = threading.Lock()

    def begin(self) -> None:
        """Begin, if it has not begun."""
        with self._beginning:
            if not self._thread.is_alive():
                self._thread.start()

    def _follow(self) -> None:
        while True:
            try:
                self._advance(datetime.now(UTC).replace(microsecond=0))
            except Exception:
                log.exception("the world's clock could not be moved; it is tried again in %s s", self._every)
            time.sleep(self._every)
