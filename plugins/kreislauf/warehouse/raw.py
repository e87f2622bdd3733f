"""The raw tables as declared: what ingest writes and staging reads."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from kreislauf.sources.clocks import CLOCKS
from kreislauf.sources.streams import LINEAGE_COLUMNS, STREAMS

if TYPE_CHECKING:
    from kreislauf.landing.manifest import Manifest

Columns = dict[str, str]
"""Type by column name; types as DuckDB writes them, which PostgreSQL reads too."""

_STORED_AS = {"EPOCH": "TIMESTAMP", "MILLIS": "TIMESTAMP", "JSON_LIST": "VARCHAR"}

MANIFESTS: Columns = {
    "run": "VARCHAR",
    "source": "VARCHAR",
    "stream": "VARCHAR",
    "since": "TIMESTAMP",
    "until": "TIMESTAMP",
    "as_of": "TIMESTAMP",
    "rows": "BIGINT",
}
"""`raw.manifests`: one row an extraction, also of an empty window. `rows`: of all its tables."""


def raw_columns() -> dict[str, Columns]:
    """Every raw table (without its layer) with its columns and types, as declared in streams.py."""
    tables = {"manifests": MANIFESTS}
    for stream in STREAMS:
        for name, table in stream.tables.items():
            declared = {column: _STORED_AS.get(c.type, c.type) for column, c in table.columns.items()}
            position = {"_child": "BIGINT"} if table.explode else {}
            tables[name] = declared | LINEAGE_COLUMNS | position
    return tables


def cut(table: str, manifests: Iterable[Manifest], as_of: datetime) -> str | None:
    """The condition, in portable SQL, on the rows of a raw table that a build as of a moment has.

    None if it has all of them, which is the rule but for the past: it is rebuilt from a landing zone
    that knows more by now.
    """
    moment = f"timestamp '{as_of.astimezone(UTC).replace(tzinfo=None).isoformat(' ')}'"
    parts = [manifest for manifest in manifests if table in manifest.tables]
    conditions = []
    # What was found at a moment belongs to the record as of that moment.
    before = "<=" if table == "membership_changes" else "<"
    first_left_out = as_of + timedelta(microseconds=before == "<=")
    if any(_reaches(manifest.tables[table].get("latest"), first_left_out) for manifest in parts):
        conditions = [f"cast({clock} as timestamp) {before} {moment}" for clock in CLOCKS.get(table, ())]
    # The ledger is stamped with real time, whatever moment is being replayed: a version counts from
    # the moment for which it was read, or from its own if that is earlier.
    later = [m.run for m in parts if m.source == "ledger" and m.as_of > as_of]
    if later:
        runs = ", ".join(f"'{run}'" for run in later)
        conditions.append(f"(_run not in ({runs}) or updated_at < {moment})")
    return " and ".join(conditions) or None


def _reaches(latest: str | None, as_of: datetime) -> bool:
    """Whether a part may have rows from that moment on; of a part of old it is not known."""
    return latest is None or datetime.fromisoformat(latest) >= as_of
