"""Rows of PostgreSQL as Arrow."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import psycopg
import pyarrow as pa


def arrow_schema(cursor: psycopg.Cursor) -> pa.Schema:
    simple = {
        "bool": pa.bool_(), "int2": pa.int16(), "int4": pa.int32(), "int8": pa.int64(),
        "float4": pa.float32(), "float8": pa.float64(), "date": pa.date32(), "timestamp": pa.timestamp("us"),
        "timestamptz": pa.timestamp("us", "UTC"),
    }  # fmt: skip
    fields = []
    for column in cursor.description:
        name = psycopg.adapters.types[column.type_code].name if column.type_code in _known_oids() else "text"
        if name == "numeric":
            # An expression's numeric has no digits of its own.
            type = pa.decimal128(column.precision or 38, column.scale or 0 if column.precision else 9)
        else:
            type = simple.get(name, pa.string())
        fields.append(pa.field(column.name, type))
    return pa.schema(fields)


def _known_oids() -> set[int]:
    return {info.oid for info in psycopg.adapters.types}


def record_batch(rows: list[tuple], schema: pa.Schema) -> pa.RecordBatch:
    columns = list(zip(*rows, strict=True)) or [()] * len(schema)
    return pa.RecordBatch.from_arrays(
        [
            pa.array([_exact(v, f.type) for v in column], f.type)
            for column, f in zip(columns, schema, strict=True)
        ],
        schema=schema,
    )


def _exact(value: Any, type: pa.DataType) -> Any:
    if isinstance(value, Decimal):
        return value.quantize(Decimal(1).scaleb(-type.scale))
    return value
