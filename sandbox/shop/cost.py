"""What a query costs, and the bucket it is paid from.

As Shopify documents it: scalars and enums are free, an object costs 1, a connection is sized by
`first` or `last` (2 points and its nodes), a mutation costs 10. Objects without an identity of
their own (amounts of money, page information, edges) are counted as values, at no cost.
A query is refused above 1,000 points; the bucket is charged with what was really returned.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from typing import Any

from graphql import (
    FieldNode,
    FragmentSpreadNode,
    GraphQLObjectType,
    GraphQLSchema,
    IntValueNode,
    OperationDefinitionNode,
    SelectionSetNode,
    VariableNode,
    get_named_type,
)

MAXIMUM = 1000
FREE = frozenset(
    {"MoneyBag", "MoneyV2", "PageInfo", "PriceRangeV2", "ProductPriceRangeV2", "MediaPreviewImage"}
)


def fields(
    selection: SelectionSetNode | None, fragments: dict[str, Any]
) -> Iterator[tuple[FieldNode, str | None]]:
    """The fields of a selection with the type a fragment narrows them to, fragments resolved."""
    for item in selection.selections if selection else ():
        if isinstance(item, FieldNode):
            yield item, None
            continue
        fragment = fragments[item.name.value] if isinstance(item, FragmentSpreadNode) else item
        condition = fragment.type_condition.name.value if fragment.type_condition else None
        for field, narrower in fields(fragment.selection_set, fragments):
            yield field, narrower or condition


class Coster:
    """The cost of one operation, before (`requested`) and after (`actual`) it ran."""

    def __init__(self, schema: GraphQLSchema, document: Any, variables: dict[str, Any]) -> None:
        self.schema = schema
        self.variables = variables
        self.fragments = {d.name.value: d for d in document.definitions if d.kind == "fragment_definition"}

    def requested(self, operation: OperationDefinitionNode) -> int:
        return self._selection(operation.selection_set, self._root(operation), None) + self._base(operation)

    def actual(self, operation: OperationDefinitionNode, data: dict[str, Any] | None) -> int:
        return self._selection(operation.selection_set, self._root(operation), data or {}) + self._base(
            operation
        )

    def _root(self, operation: OperationDefinitionNode) -> GraphQLObjectType:
        mutation = operation.operation.value == "mutation"
        return self.schema.mutation_type if mutation else self.schema.query_type

    def _base(self, operation: OperationDefinitionNode) -> int:
        return 10 if operation.operation.value == "mutation" else 0

    def _selection(self, selection: SelectionSetNode | None, parent: Any, data: dict[str, Any] | None) -> int:
        total = 0
        for node, narrowed in fields(selection, self.fragments):
            if node.name.value.startswith("__"):
                continue
            owner = self.schema.type_map[narrowed] if narrowed else parent
            inner = get_named_type(owner.fields[node.name.value].type)
            if not node.selection_set:
                continue
            if data is None:
                total += self._requested_field(node, inner)
            else:
                total += self._actual_field(node, inner, data.get((node.alias or node.name).value))
        return total

    def _requested_field(self, node: FieldNode, inner: Any) -> int:
        if not inner.name.endswith("Connection"):
            return (inner.name not in FREE) + self._selection(node.selection_set, inner, None)
        each = max(self._nodes(node, inner, None), default=1)
        return 2 + self._size(node) * each

    def _actual_field(self, node: FieldNode, inner: Any, value: Any) -> int:
        if value is None:
            return 0
        if inner.name.endswith("Connection"):
            return 2 + sum(self._nodes(node, inner, value))
        values = value if isinstance(value, list) else [value]
        one = inner.name not in FREE
        return sum(one + self._selection(node.selection_set, inner, item) for item in values if item)

    def _nodes(self, node: FieldNode, inner: Any, value: dict[str, Any] | None) -> Iterator[int]:
        """The cost of each node of a connection; of one node, when no data is known yet."""
        for child, _ in fields(node.selection_set, self.fragments):
            name = child.name.value
            if name not in {"nodes", "edges"}:
                continue
            element = get_named_type(inner.fields[name].type)
            selections = (
                [child]
                if name == "nodes"
                else [
                    edge
                    for edge, _ in fields(child.selection_set, self.fragments)
                    if edge.name.value == "node"
                ]
            )
            for selected in selections:
                kind = element if name == "nodes" else get_named_type(element.fields["node"].type)
                if value is None:
                    yield 1 + self._selection(selected.selection_set, kind, None)
                    continue
                for item in value.get((child.alias or child.name).value) or []:
                    item = item if name == "nodes" else item[(selected.alias or selected.name).value]
                    yield 1 + self._selection(selected.selection_set, kind, item)

    def _size(self, node: FieldNode) -> int:
        for argument in node.arguments or ():
            if argument.name.value in {"first", "last"}:
                if isinstance(argument.value, IntValueNode):
                    return int(argument.value.value)
                if isinstance(argument.value, VariableNode):
                    return int(self.variables.get(argument.value.name.value) or 1)
        return 1


class Bucket:
    """A leaky bucket of `size` points that refills with `rate` points a second, in real time."""

    def __init__(self, size: float, rate: float) -> None:
        self.size, self.rate = size, rate
        self._available, self._at = size, time.monotonic()
        self._lock = threading.Lock()

    def take(self, points: float) -> bool:
        """Take points if there are that many; False leaves the bucket as it is."""
        with self._lock:
            self._refill()
            if points > self._available:
                return False
            self._available -= points
            return True

    def give_back(self, points: float) -> None:
        with self._lock:
            self._available = min(self.size, self._available + points)

    def status(self) -> dict[str, float]:
        with self._lock:
            self._refill()
            return {
                "maximumAvailable": self.size,
                "currentlyAvailable": int(self._available),
                "restoreRate": self.rate,
            }

    def _refill(self) -> None:
        now = time.monotonic()
        self._available = min(self.size, self._available + (now - self._at) * self.rate)
        self._at = now
