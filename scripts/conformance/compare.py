"""Two engines' rows of one table: equal, or how they differ."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import pyarrow as pa

SHOWN = 3


@dataclass(frozen=True)
class Difference:
    """Rows of a table that are not the same on both engines, and some of them in words."""

    table: str
    rows: int
    sample: tuple[str, ...]

    def __str__(self) -> str:
        return "\n".join(
            [f"{self.table}: {self.rows} differing rows", *(f"  {line}" for line in self.sample)]
        )


def compare(table: str, grain: Sequence[str], one: pa.Table, other: pa.Table) -> Difference | None:
    """None when both have the same columns in the same order, of the same types, and the same rows.

    Values are compared exactly; the order of rows does not count, nor the width of whole numbers.
    """
    if _types(one) != _types(other):
        unlike = [f"{a} against {b}" for a, b in zip(_types(one), _types(other), strict=False) if a != b]
        return Difference(table, max(one.num_rows, other.num_rows), ("columns", *unlike))
    left, right = Counter(_rows(one)), Counter(_rows(other))
    if left == right:
        return None
    only_left, only_right = list((left - right).elements()), list((right - left).elements())
    keys = [one.column_names.index(column) for column in grain]
    return Difference(
        table,
        max(len(only_left), len(only_right)),
        tuple(_sample(one.column_names, keys, only_left, only_right)),
    )


def _types(table: pa.Table) -> list[str]:
    names = {pa.large_string(): "string", pa.string_view(): "string"}
    return [
        f"{field.name} {'whole' if pa.types.is_integer(field.type) else names.get(field.type, field.type)}"
        for field in table.schema
    ]


def _rows(table: pa.Table) -> list[tuple]:
    return list(zip(*(column.to_pylist() for column in table.columns), strict=True))


def _sample(columns: list[str], keys: list[int], left: list[tuple], right: list[tuple]) -> list[str]:
    """Rows by their key: what differs in them, or that one engine alone has them."""

    def key(row: tuple) -> tuple:
        return tuple(row[i] for i in keys)

    here, there = {key(row): row for row in left}, {key(row): row for row in right}
    lines = []
    for found in sorted({*here, *there}, key=repr)[:SHOWN]:
        a, b = here.get(found), there.get(found)
        if a and b:
            unlike = [
                f"{name} {x!r} against {y!r}" for name, x, y in zip(columns, a, b, strict=True) if x != y
            ]
            lines.append(f"{found}: {'; '.join(unlike) or 'not as often'}")
        else:
            lines.append(f"{found}: only {'here' if a else 'there'}: {a or b}")
    return lines
