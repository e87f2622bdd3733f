"""What a process and all below it cost, when the work is done elsewhere than in the step's own process."""

from __future__ import annotations

import contextlib
import threading
from typing import Any

import psutil

_EVERY = 0.5
"""Seconds between two looks at the memory; a look at thirty processes takes some milliseconds."""


class Family:
    """CPU seconds and the greatest memory of a process tree within its `with` block.

    Processes that have ended count, since those that started them have waited for them. Memory that
    several share counts once.
    """

    def __init__(self, pid: int) -> None:
        self._root = psutil.Process(pid)
        self._is_over = threading.Event()
        self._watcher = threading.Thread(target=self._watch, daemon=True)
        self.cpu_seconds = 0.0
        self.peak_mb = 0.0

    def __enter__(self) -> Family:
        self._before = self.cpu()
        self._watcher.start()
        return self

    def __exit__(self, *failure: Any) -> None:
        self._is_over.set()
        self._watcher.join()
        self.cpu_seconds = self.cpu() - self._before

    def cpu(self) -> float:
        """CPU seconds of all of them since they began."""
        total = 0.0
        for process in self._members():
            with contextlib.suppress(psutil.NoSuchProcess):
                times = process.cpu_times()
                total += times.user + times.system + times.children_user + times.children_system
        return total

    def _members(self) -> list[psutil.Process]:
        return [self._root, *self._root.children(recursive=True)]

    def _watch(self) -> None:
        while True:
            total = 0
            for process in self._members():
                with contextlib.suppress(psutil.NoSuchProcess):
                    memory = process.memory_full_info()
                    total += getattr(memory, "pss", memory.uss)
            self.peak_mb = max(self.peak_mb, total / 2**20)
            if self._is_over.wait(_EVERY):
                return
