"""The ledger's migrations, run by Alembic from the program: there is no alembic.ini.

A new one: change schema.py, then write `migrations/versions/000N_what.py` by the pattern of the last one.
A test compares the migrated tables with schema.py.
"""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection


def upgrade(connection: Connection) -> None:
    """Run the missing migrations within the caller's transaction."""
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
