"""Bulk operations: a query over everything, answered with a JSONL file.

The file holds one line a node; the nodes of a nested connection follow the node they belong to
and carry its id as `__parentId`. The selection is validated by graphql-core and then compiled to
plain functions over rows: the general executor would take minutes for half a million lines.
"""

from __future__ import annotations

import functools
import json
import logging
import sqlite3
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from graphql import FieldNode, get_named_type, get_nullable_type, is_list_type
from graphql.language import ast

from sandbox import store as state
from sandbox.shop.cost import fields
from sandbox.shop.documents import document, schema
from sandbox.shop.fields import CHILDREN, FIELDS, metafield
from sandbox.shop.graph import ROOTS, TABLES, Context, Row, by_key, group_of
from sandbox.shop.search import SearchError, condition
from sandbox.store import Store, iso

log = logging.getLogger(__name__)

AT_A_TIME = 5
MAX_CONNECTIONS = 5
MAX_DEPTH = 2
BATCH = 2000  # root rows that are read and written together


# ---------------------------------------------------------------------------------- the rules


def problem_with(query: str) -> tuple[str, str] | None:
    """Why Shopify would refuse this bulk query (code and message), or None.

    Rules of shopify.dev, "Perform bulk operations with the GraphQL Admin API": valid GraphQL, one
    connection at the top, at most five in all, nested at most two deep, none inside a list, no
    variables; and the parent of a nested connection selects its id.
    """
    parsed, errors = document(query)
    if parsed is None:
        return "INVALID", "Invalid bulk query: " + "; ".join(error["message"] for error in errors)
    operations = [d for d in parsed.definitions if isinstance(d, ast.OperationDefinitionNode)]
    if len(operations) != 1 or operations[0].operation.value != "query":
        return "INVALID", "Bulk queries must contain exactly one query operation."
    if operations[0].variable_definitions:
        return "INVALID", "Bulk queries cannot contain variables."
    top = [field for field, _ in fields(operations[0].selection_set, _fragments(parsed))]
    if len(top) != 1 or top[0].name.value not in ROOTS:
        return "INVALID", "Bulk queries must contain exactly one connection at the top level."
    try:
        Plan(parsed)
        condition(_arguments(top[0]).get("query"), ROOTS[top[0].name.value].filters)
    except (PlanError, SearchError) as error:
        return "INVALID", str(error)
    return None


class PlanError(ValueError):
    """A selection that a bulk operation cannot answer."""


def _fragments(document: ast.DocumentNode) -> dict[str, Any]:
    return {d.name.value: d for d in document.definitions if isinstance(d, ast.FragmentDefinitionNode)}


def _arguments(node: FieldNode) -> dict[str, Any]:
    values = {argument.name.value: argument.value for argument in node.arguments or ()}
    return {name: getattr(value, "value", None) for name, value in values.items()}


# ------------------------------------------------------------------------------- compilation

Value = Callable[[Any], Any]


class Plan:
    """A bulk query as functions: what becomes a line, and which lines follow it.

    Raises PlanError where the query breaks a rule or asks for something that is not modelled.
    """

    def __init__(self, document: ast.DocumentNode) -> None:
        self.schema = schema()
        self.fragments = _fragments(document)
        self.connections = 0
        operation = next(d for d in document.definitions if isinstance(d, ast.OperationDefinitionNode))
        root, _ = next(fields(operation.selection_set, self.fragments))
        self.name = root.name.value
        self.query = _arguments(root).get("query")
        self.node = self._connection(root, self.schema.query_type.fields[self.name].type, 1)

    def _connection(self, field: FieldNode, type_: Any, depth: int) -> Node:
        self.connections += 1
        if self.connections > MAX_CONNECTIONS:
            raise PlanError(f"Bulk queries cannot contain more than {MAX_CONNECTIONS} connections.")
        if depth > MAX_DEPTH:
            raise PlanError(
                f"Bulk queries cannot contain connections with a nesting depth greater than {MAX_DEPTH}."
            )
        inner = get_named_type(type_)
        for child, _ in fields(field.selection_set, self.fragments):
            name = child.name.value
            if name == "nodes":
                return self._node(child, get_named_type(inner.fields["nodes"].type), depth)
            if name == "edges":
                edge = get_named_type(inner.fields["edges"].type)
                for below, _ in fields(child.selection_set, self.fragments):
                    if below.name.value == "node":
                        return self._node(below, get_named_type(edge.fields["node"].type), depth)
        raise PlanError(f"The connection {field.name.value} must select its nodes.")

    def _node(self, field: FieldNode, type_: Any, depth: int) -> Node:
        values: list[tuple[str, Value]] = []
        children: list[tuple[Callable[[Row], list[Row]], Node]] = []
        for child, narrowed in fields(field.selection_set, self.fragments):
            owner = self.schema.type_map[narrowed] if narrowed else type_
            name, key = child.name.value, (child.alias or child.name).value
            below = CHILDREN.get(owner.name, {}).get(name)
            if below and get_named_type(owner.fields[name].type).name.endswith("Connection"):
                children.append((below, self._connection(child, owner.fields[name].type, depth + 1)))
            else:
                values.append((key, self._value(child, owner)))
        if children and not any(key == "id" for key, _ in values):
            raise PlanError(f"The parent of a nested connection must select its id ({field.name.value}).")
        return Node(values, children)

    def _value(self, field: FieldNode, owner: Any) -> Value:
        """A function from a row, or from a plain object, to the value of a field."""
        name = field.name.value
        if name == "__typename":
            return lambda source: source.kind if isinstance(source, Row) else owner.name
        type_ = get_nullable_type(owner.fields[name].type)
        inner = get_named_type(type_)
        if owner.name == "Product" and name == "metafield":
            get = functools.partial(metafield, **_arguments(field))
        elif owner.name in FIELDS:
            get = FIELDS[owner.name].get(name) or CHILDREN.get(owner.name, {}).get(name)
            if get is None:
                raise PlanError(f"The sandbox does not model {owner.name}.{name}.")
        else:

            def get(source: Any) -> Any:
                return source[name]

        if not field.selection_set:
            return get
        parts = [
            ((child.alias or child.name).value, self._nested(child, narrowed, inner, is_list_type(type_)))
            for child, narrowed in fields(field.selection_set, self.fragments)
        ]

        def one(source: Any) -> Any:
            return None if source is None else {key: value(source) for key, value in parts}

        if is_list_type(type_):
            return lambda source: [one(item) for item in get(source)]
        return lambda source: one(get(source))

    def _nested(self, field: FieldNode, narrowed: str | None, inner: Any, in_list: bool) -> Value:
        owner = self.schema.type_map[narrowed] if narrowed else inner
        if field.name.value != "__typename":
            target = get_named_type(owner.fields[field.name.value].type)
            if target.name.endswith("Connection"):
                where = "a list field" if in_list else "an object field, in the sandbox,"
                raise PlanError(f"Queries that contain a connection field within {where} are not supported.")
        return self._value(field, owner)


class Node:
    """What is written for the nodes of one connection."""

    def __init__(self, values: list[tuple[str, Value]], children: list[tuple[Any, Node]]) -> None:
        self.values = values
        self.children = children

    def lines(self, row: Row, parent: str | None) -> Iterator[dict[str, Any]]:
        line = {key: value(row) for key, value in self.values}
        if parent is not None:
            line["__parentId"] = parent
        yield line
        for below, node in self.children:
            for child in below(row):
                yield from node.lines(child, line["id"])


# --------------------------------------------------------------------------------- execution


class Operations:
    """Runs bulk operations one after the other in a thread, and remembers them in the store.

    Operations that were under way when the sandbox ended are run again when it starts.
    """

    def __init__(self, store: Store) -> None:
        self.store = store
        self.folder = store.home / "bulk"
        self._wake = threading.Event()

    def start(self) -> None:
        threading.Thread(target=self._loop, name="bulk-operations", daemon=True).start()
        self.wake()

    def wake(self) -> None:
        self._wake.set()

    def running(self, db: sqlite3.Connection) -> int:
        return db.execute(
            "select count(*) from shop_bulk_operations where status in ('CREATED', 'RUNNING')"
        ).fetchone()[0]

    def create(self, context: Context, query: str) -> Row:
        """A new operation in state CREATED; it begins once the transaction is committed."""
        operation_id = context.db.execute(
            "insert into shop_bulk_operations (query, status, created_at) values (?, 'CREATED', ?)",
            (query, state.get(context.db, "now")),
        ).lastrowid
        return by_key(context, "BulkOperation", "id", {operation_id})[0]

    def cancel(self, db: sqlite3.Connection, operation_id: int) -> None:
        db.execute(
            "update shop_bulk_operations set status = 'CANCELED'"
            " where id = ? and status in ('CREATED', 'RUNNING')",
            (operation_id,),
        )

    def file(self, operation_id: int) -> Path:
        return self.folder / f"{operation_id}.jsonl"

    def _loop(self) -> None:
        while True:
            self._wake.wait()
            self._wake.clear()
            while (operation := self._next()) is not None:
                try:
                    self._run(*operation)
                except Exception:
                    log.exception("Bulk operation %s failed", operation[0])
                    self._finish(operation[0], "FAILED", error_code="INTERNAL_SERVER_ERROR")

    def _next(self) -> tuple[int, str] | None:
        with self.store.read() as db:
            row = db.execute(
                "select id, query from shop_bulk_operations"
                " where status in ('CREATED', 'RUNNING') order by id limit 1"
            ).fetchone()
        if row is None:
            return None
        with self.store.write() as db:
            db.execute("update shop_bulk_operations set status = 'RUNNING' where id = ?", (row["id"],))
        return row["id"], row["query"]

    def _run(self, operation_id: int, query: str) -> None:
        parsed, errors = document(query)
        if parsed is None:
            raise PlanError(f"The query of bulk operation {operation_id} is no longer valid: {errors}")
        plan = Plan(parsed)
        self.folder.mkdir(exist_ok=True)
        draft = self.file(operation_id).with_suffix(".draft")
        objects = roots = 0
        with draft.open("w", encoding="utf-8") as out, self.store.read() as db:
            context = Context(db, f"{self.store.base_url}/shop", state.get(db, "currency"), [])
            for row in root_rows(context, plan):
                roots += 1
                for line in plan.node.lines(row, None):
                    objects += 1
                    out.write(json.dumps(line, separators=(",", ":"), ensure_ascii=False) + "\n")
        draft.replace(self.file(operation_id))
        self._finish(operation_id, "COMPLETED", objects=objects, roots=roots)

    def _finish(
        self, operation_id: int, status: str, objects: int = 0, roots: int = 0, error_code: str | None = None
    ) -> None:
        size = self.file(operation_id).stat().st_size if status == "COMPLETED" else None
        with self.store.write() as db:
            db.execute(
                "update shop_bulk_operations set status = ?, error_code = ?, completed_at = ?,"
                " object_count = ?, root_object_count = ?, file_size = ? where id = ? and status = 'RUNNING'",
                (
                    status,
                    error_code,
                    iso(state.parse(state.get(db, "now"))),
                    objects,
                    roots,
                    size,
                    operation_id,
                ),
            )


def root_rows(context: Context, plan: Plan) -> Iterator[Row]:
    """The rows of the top connection, by id, in groups that load what is below them together."""
    root = ROOTS[plan.name]
    found = condition(plan.query, root.filters)
    last = 0
    while True:
        data = context.db.execute(
            f"select * from {TABLES[root.kind]} where id > ? and ({found.sql}) order by id limit ?",  # ruff: ignore[hardcoded-sql-expression]
            [last, *found.values, BATCH],
        ).fetchall()
        if not data:
            return
        last = data[-1]["id"]
        yield from group_of(context, root.kind, data)
