"""`make down`: stop what `make up` left running."""

from __future__ import annotations

import os
from pathlib import Path

from scripts.local import REPOSITORY, Local
from scripts.services import stop_leftovers

if __name__ == "__main__":
    home = Path(os.environ.get("KREISLAUF_HOME", REPOSITORY / "var"))
    stopped = stop_leftovers(Local.at(home)) if home.exists() else 0
    print(f"stopped {stopped} processes" if stopped else "nothing was running")
