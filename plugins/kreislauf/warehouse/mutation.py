"""Do the tests notice when a model is wrong? Small faults are built into its SQL, one at a time.

A mutant is killed when some case of the model's YAML file fails on it. Mutants that no longer bind
are not counted. Kinds: a condition left out (of where, having, join, case), a comparison moved or
turned round, a join made inner or outer, a union's branch left out, constants, sort order, defaults,
distinct, aggregates (DeMillo, Lipton, Sayward 1978; for SQL: Tuya, Suarez-Cabal, de la Riva 2007).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime

import duckdb
from sqlglot import exp

from kreislauf.warehouse.dialect import compile_sql, parse
from kreislauf.warehouse.model import Model, line_of
from kreislauf.warehouse.schema import Schema
from kreislauf.warehouse.testing import Case, DuckDBBackend, difference, given_tables

Change = Callable[[exp.Expression], object]


@dataclass(frozen=True)
class Mutant:
    """One fault: the line it is on, and what was done there."""

    line: int
    what: str


@dataclass(frozen=True)
class Report:
    """`survivors`: the mutants that no case noticed."""

    killed: int
    survivors: tuple[Mutant, ...]

    @property
    def total(self) -> int:
        return self.killed + len(self.survivors)


def mutate(model: Model, cases: list[Case], schema: Schema) -> Report:
    """Runs every mutant of the model on every case, until one fails."""
    backend = DuckDBBackend()
    living: dict[int, Mutant] = {}
    killed = 0
    for first, case in ((case is cases[0], case) for case in cases):
        mutants = list(_mutants(model, case.as_of))
        if first:
            living = {position: mutant for position, (mutant, _) in enumerate(mutants)}
        with backend.filled(given_tables(case, model, schema)) as connection:
            for position in list(living):
                try:
                    _, rows = backend.rows(connection, compile_sql(mutants[position][1], "duckdb"))
                except duckdb.Error:
                    killed += not first  # one that never runs is no mutant
                    del living[position]
                    continue
                if difference(case, model, schema, rows):
                    killed += 1
                    del living[position]
    return Report(killed, tuple(sorted(living.values(), key=lambda mutant: (mutant.line, mutant.what))))


def _mutants(model: Model, as_of: datetime) -> Iterator[tuple[Mutant, exp.Expression]]:
    """The same mutants in the same order whatever the moment."""
    tree = parse(model.rendered(as_of))
    moment = f"'{as_of.replace(tzinfo=None).isoformat(' ')}'"
    for position, node in enumerate(tree.walk()):
        for what, change in _changes(node):
            copy = tree.copy()
            target = next(n for i, n in enumerate(copy.walk()) if i == position)
            changed = change(target)
            # The root has no parent to be replaced in.
            whole = changed if position == 0 and isinstance(changed, exp.Query) else copy
            yield Mutant(_line(node), what.replace(moment, "as_of")), whole


def _changes(node: exp.Expression) -> Iterator[tuple[str, Change]]:
    text = node.sql(dialect="postgres")
    short = text if len(text) <= 70 else text[:67] + "..."
    if isinstance(node, exp.And):
        yield f"{short}: only the left side", lambda n: n.replace(n.this)
        yield f"{short}: only the right side", lambda n: n.replace(n.expression)
    if isinstance(node, exp.Or):
        yield f"{short}: only the left side", lambda n: n.replace(n.this)
        yield f"{short}: only the right side", lambda n: n.replace(n.expression)
    if isinstance(node, exp.Where | exp.Having):
        yield f"{short} left out", lambda n: n.pop()
    if isinstance(node, exp.Not):
        yield f"{short} without not", lambda n: n.replace(n.this)
    if swap := _COMPARISONS.get(type(node)):
        yield f"{short} -> {swap.key}", lambda n: n.replace(swap(this=n.this, expression=n.expression))
    if isinstance(node, exp.Case):
        for i, branch in enumerate(node.args["ifs"]):
            if len(node.args["ifs"]) > 1:
                yield f"case without `when {branch.this.sql()}`"[:90], _without_branch(i)
        if node.args.get("default") is not None:
            yield f"{short} without else", lambda n: n.set("default", None)
    if isinstance(node, exp.Join) and node.args.get("on"):
        outer = node.side == "LEFT"
        yield f"{short} -> {'inner' if outer else 'left'}", _other_join(outer)
    if isinstance(node, exp.Union):
        yield f"union without `{node.left.sql()}`"[:90], lambda n: n.replace(n.left)
        yield "union without its last part", lambda n: n.replace(n.right)
        if node.args.get("distinct"):
            yield "union -> union all", lambda n: n.set("distinct", False)
    if isinstance(node, exp.Select) and node.args.get("distinct"):
        yield "select without distinct", lambda n: n.set("distinct", None)
    if isinstance(node, exp.Coalesce):
        yield f"{short}: no default", lambda n: n.replace(n.this)
    if isinstance(node, exp.Ordered):
        yield f"order by {short} turned round", lambda n: n.set("desc", not n.args.get("desc"))
    if isinstance(node, exp.Min | exp.Max):
        other = exp.Max if isinstance(node, exp.Min) else exp.Min
        yield f"{short} -> {other.key}", lambda n: n.replace(other(this=n.this))
    if isinstance(node, exp.Greatest | exp.Least):
        yield f"{short}: only the first", lambda n: n.replace(n.this)
    if isinstance(node, exp.Boolean):
        yield f"{short} turned round", lambda n: n.replace(exp.Boolean(this=not n.this))
    if isinstance(node, exp.Literal):
        yield from _other_literal(node)


_COMPARISONS: dict[type[exp.Expression], type[exp.Expression]] = {
    exp.LT: exp.LTE,
    exp.LTE: exp.LT,
    exp.GT: exp.GTE,
    exp.GTE: exp.GT,
    exp.EQ: exp.NEQ,
    exp.NEQ: exp.EQ,
}


def _without_branch(position: int) -> Change:
    def change(node: exp.Expression) -> None:
        node.args["ifs"][position].pop()

    return change


def _other_join(outer: bool) -> Change:
    def change(node: exp.Expression) -> None:
        node.set("side", None if outer else "LEFT")
        node.set("kind", None)

    return change


def _other_literal(node: exp.Literal) -> Iterator[tuple[str, Change]]:
    if isinstance(node.parent, exp.Cast | exp.DataTypeParam) or node.find_ancestor(exp.DataType):
        return  # types, and the clock
    counted = node.find_ancestor(exp.Count, exp.Select, exp.Predicate)
    if isinstance(counted, exp.Count) or isinstance(getattr(counted, "parent", None), exp.Exists):
        return  # `count(case when … then 1 end)`, `exists (select 1 …)`: any constant will do
    if not node.is_string:
        yield f"{node.name} -> {node.name} + 1", lambda n: n.replace(exp.Literal.number(_plus_one(n.name)))
        return
    if isinstance(node.parent, exp.Interval):
        longer = re.sub(r"\d+", lambda found: str(int(found[0]) + 1), node.name)
        yield f"{node.parent.sql()} one longer", lambda n: n.replace(exp.Literal.string(longer))
    elif node.name:
        yield f"'{node.name}' -> 'mutant'", lambda n: n.replace(exp.Literal.string("mutant"))


def _plus_one(number: str) -> str:
    return str(float(number) + 1) if "." in number else str(int(number) + 1)


def _line(node: exp.Expression) -> int:
    while (line := line_of(node)) is None and node.parent is not None:
        node = node.parent
    return line or 1
