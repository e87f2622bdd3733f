"""The terms in which streams are declared."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta


@dataclass(frozen=True)
class Column:
    """A typed column and where its value stands in the record.

    `path` is a JSONPath such as `$.totalPriceSet.shopMoney.amount`. In a table with `explode`
    it is read from the child; a path that begins with `$parent.` is read from the record.
    `type` is one of VARCHAR, BIGINT, BOOLEAN, TIMESTAMP, DATE, DECIMAL(18,2), EPOCH (seconds
    since 1970, stored as TIMESTAMP), MILLIS (the same in milliseconds), JSON_LIST (an array of
    strings, stored as VARCHAR, joined with ";").
    `required`: a record without it goes to quarantine. `personal`: personal data, for erasure.
    """

    path: str
    type: str = "VARCHAR"
    required: bool = False
    personal: bool = False


@dataclass(frozen=True)
class Table:
    """A raw table: its columns by name, and the array it is made of (`explode`), if any."""

    columns: dict[str, Column]
    explode: str | None = None


@dataclass(frozen=True)
class Stream:
    """One resource of one source, and the raw tables it fills.

    `overlap` is taken back from the high-water mark at each window, for sources whose records
    become visible late. `snapshot`: the source has no change filter; every window reads it whole.
    `sparse`: a record has only the fields that apply to it, so an absent one is no drift.
    """

    source: str
    name: str
    tables: dict[str, Table]
    overlap: timedelta = timedelta(minutes=5)
    snapshot: bool = False
    sparse: bool = False
    known: frozenset[str] = field(default_factory=frozenset)
    """Top-level fields that are read by the connector itself or deliberately not loaded."""


LINEAGE_COLUMNS = {"_run": "VARCHAR", "_line": "BIGINT", "_extracted_at": "TIMESTAMP"}
"""On every raw table: the extraction it came with (sorts by time), its line there, and its moment."""


def key(path: str = "$.id") -> Column:
    return Column(path, required=True)


def text(path: str) -> Column:
    return Column(path)


def personal(path: str) -> Column:
    return Column(path, personal=True)


def moment(path: str, required: bool = False) -> Column:
    return Column(path, "TIMESTAMP", required)


def money(path: str) -> Column:
    return Column(path, "DECIMAL(18,2)")


def whole(path: str) -> Column:
    return Column(path, "BIGINT")


def flag(path: str) -> Column:
    return Column(path, "BOOLEAN")


def prop(name: str, type: str = "VARCHAR", *, personal: bool = False) -> Column:
    """A HubSpot property."""
    return Column(f"$.properties.{name}", type, personal=personal)
