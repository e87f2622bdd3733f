"""Where things are: the repository's own files, and the folder for local state."""

from __future__ import annotations

import os
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
INCLUDE = REPOSITORY / "include"
"""What people edit who write no Python: SQL, templates, policy."""


def home() -> Path:
    """The folder for local state: `KREISLAUF_HOME`, or `var` in the repository."""
    return Path(os.environ.get("KREISLAUF_HOME") or REPOSITORY / "var").absolute()
