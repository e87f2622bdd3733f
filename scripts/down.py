"""`make down`: stop what `make up` left running."""

from __future__ import annotations

from kreislauf.places import home
from scripts.local import Local
from scripts.services import stop_leftovers

if __name__ == "__main__":
    stopped = stop_leftovers(Local.at(home())) if home().exists() else 0
    print(f"stopped {stopped} processes" if stopped else "nothing was running")
