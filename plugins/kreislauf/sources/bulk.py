"""Shopify's bulk operations: their requests, and their JSONL files as nested records."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from kreislauf.sources.base import line
from kreislauf.sources.errors import BadAnswer
from kreislauf.sources.graphql import is_connection
from kreislauf.sources.streams import Stream

_FIELDS = "id status errorCode query url objectCount rootObjectCount"

# Grouped: children follow their parent at once, so a file of any size is read with little memory.
RUN_BULK_QUERY = (
    "mutation run($query: String!) { bulkOperationRunQuery(query: $query, groupObjects: true) "
    f"{{ bulkOperation {{ {_FIELDS} }} userErrors {{ code field message }} }} }}"
)
BULK_QUERY = f"query operation($id: ID!) {{ bulkOperation(id: $id) {{ {_FIELDS} }} }}"
BULK_QUERIES = (
    "query operations { bulkOperations(first: 20, reverse: true, sortKey: CREATED_AT) "
    f"{{ nodes {{ {_FIELDS} }} }} }}"
)


def nested(path: Path, stream: Stream, objects: int, roots: int) -> Iterator[bytes]:
    """The records of a grouped bulk file, with their children where the paged query has them.

    `objects` and `roots`: how many lines, and lines without a parent, the operation reported. Raises
    BadAnswer for a line that is no JSON object, a child away from its parent, or other numbers.
    """
    names = [table.explode.split(".")[1] for table in stream.tables.values() if is_connection(table)]
    record: dict[str, Any] | None = None
    lines = records = 0
    with path.open("rb") as file:
        for text in file:
            lines += 1
            found = _parsed(text, lines, stream)
            parent = found.pop("__parentId", None)
            if parent is None:
                if record:
                    yield line(record)
                record = found | {name: {"nodes": []} for name in names}
                records += 1
            elif record is None or parent != record["id"] or not names:
                raise BadAnswer(
                    f"bulk file of shop {stream.name}, line {lines}: a child away from its parent"
                )
            else:
                record[names[0]]["nodes"].append(found)
    if (lines, records) != (objects, roots):
        raise BadAnswer(
            f"bulk file of shop {stream.name}: {lines} lines with {records} records, but the operation "
            f"reported {objects} and {roots}; the file is not complete. Run the task again"
        )
    if record:
        yield line(record)


def _parsed(text: bytes, number: int, stream: Stream) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise BadAnswer(
            f"bulk file of shop {stream.name}, line {number}: not a JSON object; the file is damaged or "
            "cut off. Run the task again"
        )
    return found
