"""GraphQL texts for Shopify, made from the declared columns of a stream."""

from __future__ import annotations

import json
from typing import Any

from kreislauf.landing.manifest import Window
from kreislauf.sources.streams import Stream, Table

CHILDREN_ON_PAGE = 20
CHILDREN_FETCHED_ON = 250

METAFIELDS = {
    "rating": 'metafield(namespace: "reviews", key: "rating")',
    "ratingCount": 'metafield(namespace: "reviews", key: "rating_count")',
}
"""Names by which a declared path means a metafield."""

_PAGE_INFO = "pageInfo { hasNextPage endCursor }"

Tree = dict[str, Any]


def search(window: Window, where: str = "") -> str:
    """Shopify's search text for the records changed in a window."""
    terms = [f"updated_at:<'{window.until:%Y-%m-%dT%H:%M:%SZ}'"]
    if window.since:
        terms.insert(0, f"updated_at:>='{window.since:%Y-%m-%dT%H:%M:%SZ}'")
    return " AND ".join([*terms, where] if where else terms)


def page_query(stream: Stream, connection: str, sort_key: str, first: int) -> str:
    """A page of a connection; variables: query, after. Refunds are asked for inside their orders."""
    node, children = _selection(stream)
    lines = "".join(
        f" {name}(first: {CHILDREN_ON_PAGE}) {{ nodes {{ {_text(tree)} }} {_PAGE_INFO} }}"
        for name, tree in children.items()
    )
    inside = _text(node) + lines
    if stream.name == "refunds":
        inside = f"id updatedAt refunds {{ {inside} }}"
    return (
        "query page($query: String, $after: String) { "
        f"{connection}(first: {first}, after: $after, query: $query, sortKey: {sort_key}) "
        f"{{ nodes {{ {inside} }} {_PAGE_INFO} }} }}"
    )


def more_children_query(stream: Stream, name: str, parent_id: str) -> str:
    """The next children of one record; variables: id, after."""
    _, children = _selection(stream)
    type_name = parent_id.removeprefix("gid://shopify/").partition("/")[0]
    return (
        "query children($id: ID!, $after: String) { "
        f"node(id: $id) {{ ... on {type_name} {{ {name}(first: {CHILDREN_FETCHED_ON}, after: $after) "
        f"{{ nodes {{ {_text(children[name])} }} {_PAGE_INFO} }} }} }} }}"
    )


def bulk_query(stream: Stream, connection: str, filters: str) -> str:
    """The query of a bulk operation over a connection and its children."""
    node, children = _selection(stream)
    lines = "".join(f" {name} {{ edges {{ node {{ {_text(tree)} }} }} }}" for name, tree in children.items())
    return (
        f"{{ {connection}(query: {json.dumps(filters)}) {{ edges {{ node {{ {_text(node)}{lines} }} }} }} }}"
    )


def is_connection(table: Table) -> bool:
    """Whether the children a table is made of come in pages; else they are a list inside the record."""
    return table.explode is not None and table.explode.endswith(".nodes")


def _selection(stream: Stream) -> tuple[Tree, dict[str, Tree]]:
    """The fields of a record, and those of its children by the name of their connection."""
    node: Tree = {}
    children: dict[str, Tree] = {}
    for table in stream.tables.values():
        for column in table.columns.values():
            if table.explode is None:
                _put(node, column.path)
            elif column.path.startswith("$parent."):
                continue
            elif is_connection(table):
                _put(children.setdefault(table.explode.split(".")[1], {}), column.path)
            else:  # a plain list, which comes whole with its record
                _put(node, f"{table.explode}{column.path.removeprefix('$')}")
    if stream.name == "refunds":
        # The connector adds these two from the refund's order.
        del node["order"], node["updatedAt"]
    return node, children


def _put(tree: Tree, path: str) -> None:
    for name in path.split(".")[1:]:
        tree = tree.setdefault(name, {})


def _text(tree: Tree) -> str:
    return " ".join(f"{_field(name)} {{ {_text(inner)} }}" if inner else name for name, inner in tree.items())


def _field(name: str) -> str:
    return f"{name}: {METAFIELDS[name]}" if name in METAFIELDS else name
