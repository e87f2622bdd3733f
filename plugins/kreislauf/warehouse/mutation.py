"""Do the tests notice when a model is wrong? Small faults are built into its SQL, one at a time.

A mutant is killed when some case of the model's YAML file fails on it. Mutants that no longer bind
are not counted. Kinds: a condition left out (of where, having, join, case) or negated, a comparison
moved or turned round, a join made inner or outer, a union's branch left out, constants, sort order,
defaults, distinct, min and max, plus and minus (DeMillo, Lipton, Sayward 1978; for SQL: Tuya,
Suarez-Cabal, de la Riva 2007).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import islice

import duckdb
from sqlglot import exp

from kreislauf.warehouse.dialect import compile_sql, parse
from kreislauf.warehouse.model import Model, line_of
from kreislauf.warehouse.schema import Schema
from kreislauf.warehouse.testing import Case, DuckDBBackend, difference, given_tables

Change = Callable[[exp.Expression], object]

_UNBOUND = (duckdb.BinderException, duckdb.ParserException, duckdb.CatalogException)


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
    faulty: dict[datetime, _Faults] = {}
    living: dict[int, Mutant] | None = None
    killed = 0
    for case in cases:
        if case.as_of not in faulty:
            faulty[case.as_of] = _Faults(model, case.as_of)
        faults = faulty[case.as_of]
        if living is None:
            living = dict(enumerate(faults.mutants))
        with backend.filled(given_tables(case, model, schema)) as connection:
            for number in list(living):
                try:
                    _, rows = backend.rows(connection, faults.sql(number))
                except _UNBOUND:
                    del living[number]
                    continue
                except duckdb.Error:
                    rows = None
                if rows is None or difference(case, model, schema, rows):
                    killed += 1
                    del living[number]
    survivors = sorted((living or {}).values(), key=lambda mutant: (mutant.line, mutant.what))
    return Report(killed, tuple(survivors))


class _Faults:
    """The mutants of a model as of a moment: the same in the same order whatever the moment."""

    def __init__(self, model: Model, as_of: datetime):
        moment = f"'{as_of.replace(tzinfo=None).isoformat(' ')}'"
        self._tree = parse(model.rendered(as_of))
        self._changes: list[tuple[int, Change]] = []
        self._sql: dict[int, str] = {}
        self.mutants: list[Mutant] = []
        for position, node in enumerate(self._tree.walk()):
            for what, change in _changes(node):
                self._changes.append((position, change))
                self.mutants.append(Mutant(_line(node), what.replace(moment, "as_of")))

    def sql(self, number: int) -> str:
        """That mutant's statement for DuckDB."""
        if number not in self._sql:
            position, change = self._changes[number]
            tree = self._tree.copy()
            changed = change(next(islice(tree.walk(), position, None)))
            if position == 0 and isinstance(changed, exp.Query):  # the root has no parent to be replaced in
                changed.set("with_", tree.args.get("with_"))
                tree = changed
            self._sql[number] = compile_sql(tree, "duckdb", pretty=False)
        return self._sql[number]


def _changes(node: exp.Expression) -> Iterator[tuple[str, Change]]:
    short = _short(node)
    if isinstance(node, exp.And | exp.Or | exp.Union):
        yield f"without `{_short(node.expression)}`", lambda n: n.replace(n.this)
        if not isinstance(node.this, type(node)):  # `a and b and c` is `(a and b) and c`
            yield f"without `{_short(node.this)}`", lambda n: n.replace(n.expression)
    if isinstance(node, exp.Union) and node.args.get("distinct"):
        yield "union -> union all", lambda n: n.set("distinct", False)
    if isinstance(node, exp.Where | exp.Having):
        yield f"without `{short}`", lambda n: n.pop()
    if isinstance(node, exp.Not):
        yield f"`{short}` without not", lambda n: n.replace(n.this)
    if isinstance(node, exp.Is | exp.In | exp.Exists) and not isinstance(node.parent, exp.Not):
        yield f"`{short}` negated", lambda n: n.replace(exp.Not(this=exp.Paren(this=n.copy())))
    if swap := _SWAPS.get(type(node)):
        yield f"`{short}` -> {swap.key}", lambda n: n.replace(swap(this=n.this, expression=n.expression))
    if isinstance(node, exp.Case):
        for i, branch in enumerate(node.args["ifs"]):
            yield f"case without `when {_short(branch.this)}`", _without_branch(i)
        if node.args.get("default") is not None:
            yield f"`{short}` without else", lambda n: n.set("default", None)
    if isinstance(node, exp.Join) and node.args.get("on"):
        outer = node.side == "LEFT"
        yield f"`{short}` -> {'inner' if outer else 'left'}", _other_join(outer)
    if isinstance(node, exp.Select | exp.Count) and _distinct(node):
        yield f"`{short}` without distinct", _without_distinct
    if isinstance(node, exp.Coalesce):
        yield f"`{short}`: no default", lambda n: n.replace(n.this)
    if isinstance(node, exp.Ordered):
        yield f"order by `{short}` turned round", lambda n: n.set("desc", not n.args.get("desc"))
    if isinstance(node, exp.Min | exp.Max):
        other = exp.Max if isinstance(node, exp.Min) else exp.Min
        yield f"`{short}` -> {other.key}", lambda n: n.replace(other(this=n.this))
    if isinstance(node, exp.Greatest | exp.Least):
        yield f"`{short}`: only the first", lambda n: n.replace(n.this)
    if isinstance(node, exp.Boolean):
        yield f"`{short}` turned round", lambda n: n.replace(exp.Boolean(this=not n.this))
    if isinstance(node, exp.Literal):
        yield from _other_literal(node)


_SWAPS: dict[type[exp.Expression], type[exp.Expression]] = {
    exp.LT: exp.LTE,
    exp.LTE: exp.LT,
    exp.GT: exp.GTE,
    exp.GTE: exp.GT,
    exp.EQ: exp.NEQ,
    exp.NEQ: exp.EQ,
    exp.Add: exp.Sub,
    exp.Sub: exp.Add,
}


def _short(node: exp.Expression) -> str:
    text = node.sql(dialect="postgres", comments=False)
    return text if len(text) <= 70 else text[:67] + "..."


def _without_branch(position: int) -> Change:
    def change(node: exp.Expression) -> None:
        if len(node.args["ifs"]) > 1:
            node.args["ifs"][position].pop()
        else:
            node.replace(node.args.get("default") or exp.Null())

    return change


def _distinct(node: exp.Expression) -> bool:
    return bool(node.args.get("distinct")) or isinstance(node.this, exp.Distinct)


def _without_distinct(node: exp.Expression) -> None:
    if isinstance(node, exp.Select):
        node.set("distinct", None)
    else:
        node.set("this", node.this.expressions[0])


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
        yield f"`{node.parent.sql()}` one longer", lambda n: n.replace(exp.Literal.string(longer))
    elif node.name:
        yield f"'{node.name}' -> 'mutant'", lambda n: n.replace(exp.Literal.string("mutant"))


def _plus_one(number: str) -> str:
    return str(float(number) + 1) if "." in number else str(int(number) + 1)


def _line(node: exp.Expression) -> int:
    while (line := line_of(node)) is None and node.parent is not None:
        node = node.parent
    return line or 1
