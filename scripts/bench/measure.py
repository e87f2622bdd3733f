"""One measurement is one process: `python -m scripts.bench.measure land.load FOLDER SIZE`.

A step is a function (folder, size) -> dict in one of the modules beside this one. It times what is
to be measured with a `Stopwatch`, so making its input is not counted; memory is the whole process's.
"""

from __future__ import annotations

import importlib
import json
import resource
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

AS_OF = datetime(2026, 11, 20, 6, tzinfo=UTC)
"""The moment all stages look from."""


class Stopwatch:
    """Adds up the seconds on the wall and the CPU seconds of this process within its `with` blocks."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self.cpu_seconds = 0.0

    def __enter__(self) -> Stopwatch:
        self._since = time.perf_counter(), time.process_time()
        return self

    def __exit__(self, *failure: Any) -> None:
        self.seconds += time.perf_counter() - self._since[0]
        self.cpu_seconds += time.process_time() - self._since[1]

    def result(self, rows: int, **more: Any) -> dict[str, Any]:
        """What a step returns: `rows` handled in the time measured, and what else there is to tell."""
        return {"rows": rows, "seconds": self.seconds, "cpu_seconds": self.cpu_seconds, **more}


def main(arguments: list[str]) -> None:
    """Run one step, and print what it returns as one line of JSON."""
    name, folder, size = arguments
    module, _, function = name.partition(".")
    step = getattr(importlib.import_module(f"scripts.bench.{module}"), function)
    result = step(Path(folder), int(size))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"peak_mb": peak} | result))


if __name__ == "__main__":
    main(sys.argv[1:])
