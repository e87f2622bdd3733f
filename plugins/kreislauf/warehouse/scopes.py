"""What the SELECTs of a statement read and give: names, columns and conditions, from its text.

Whatever is out of the ordinary is refused (`NotLocal`) rather than guessed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

import sqlglot
from sqlglot import exp

DIALECT = "duckdb"

ColumnsOf = Callable[[str], list[str]]
"""The columns of `layer.table`."""

Sources = Mapping[str, tuple[exp.Expression, exp.Join | None]]
"""By alias, in order, what a SELECT reads, and the join that adds it."""

_VALUE_NODES = (
    exp.Column, exp.Identifier, exp.Literal, exp.Cast, exp.DataType, exp.DPipe, exp.Concat, exp.Lower,
    exp.Trim, exp.MD5, exp.TimestampTrunc, exp.DateTrunc, exp.Var, exp.Paren, exp.Replace, exp.Nullif,
    exp.Coalesce, exp.DataTypeParam,
)  # fmt: skip
"""What a key may be made of: one value for one value, whatever row it stands in."""


class NotLocal(Exception):
    """The statement may depend on rows of other keys; says why."""


class Scopes:
    """A statement's CTEs, and what its queries are in terms of each other."""

    def __init__(self, tree: exp.Expression, columns: ColumnsOf) -> None:
        self.query = tree
        self.ctes: dict[str, exp.Expression] = {}
        self._columns_of = columns
        self._outputs: dict[int, dict[str, exp.Expression]] = {}
        self._tables: dict[int, tuple[set[str], set[str], exp.Expression]] = {}
        self._take_ctes(self.query)
        if self.query.find(exp.With) or any(cte.find(exp.With) for cte in self.ctes.values()):
            raise NotLocal("a query within an expression has CTEs of its own")

    @classmethod
    def of(cls, sql: str, columns: ColumnsOf) -> Scopes:
        """Of a statement in DuckDB's dialect. Raises NotLocal."""
        return cls(sqlglot.parse_one(sql, read=DIALECT), columns)

    def _take_ctes(self, query: exp.Expression) -> None:
        """All CTEs by name, and what one reads before it; those within one become its neighbours."""
        with_ = query.args.get("with_")
        if with_ is None:
            return
        query.set("with_", None)
        if with_.args.get("recursive"):
            raise NotLocal("recursive")
        for cte in with_.expressions:
            self._take_ctes(cte.this)
            if cte.alias in self.ctes or cte.args["alias"].columns:
                raise NotLocal(f"two CTEs {cte.alias}, or one with other columns")
            self.ctes[cte.alias] = cte.this

    def with_ctes(self, query: exp.Expression, made: Mapping[str, exp.Expression]) -> exp.Expression:
        """The query, changed in place, with the CTEs it reads, written or `made`; one reads earlier ones."""
        available, needed, open_ = self.ctes | made, set(), [query]
        while open_:
            for table in open_.pop().find_all(exp.Table):
                if not table.db and table.name in available and table.name not in needed:
                    needed.add(table.name)
                    open_.append(available[table.name])
        for name in available:
            if name in needed:
                query = query.with_(name, available[name].copy(), copy=False)
        return query

    def columns(self, relation: exp.Expression) -> list[str]:
        """The columns that a table, CTE or query gives."""
        if isinstance(relation, exp.Table):
            if relation.name in self.ctes and not relation.db:
                return self.columns(self.ctes[relation.name])
            if not relation.db:
                raise NotLocal(f"what {relation.sql()} is, is not known")
            return self._columns_of(f"{relation.db}.{relation.name}")
        if isinstance(relation, exp.Subquery):
            return self.columns(relation.this)
        if isinstance(relation, exp.SetOperation):
            return self.columns(relation.this)
        if isinstance(relation, exp.Select):
            return list(self.outputs(relation))
        raise NotLocal(f"{relation.key} is no query")

    def sources(self, select: exp.Select) -> Sources:
        from_ = select.args.get("from_")
        found: dict[str, tuple[exp.Expression, exp.Join | None]] = {}
        entries = [(from_.this, None)] if from_ else []
        for relation, join in [*entries, *((join.this, join) for join in select.args.get("joins") or ())]:
            allowed = {"this", "db", "alias"} if isinstance(relation, exp.Table) else {"this", "alias"}
            if not isinstance(relation, exp.Table | exp.Subquery) or not relation.alias_or_name:
                raise NotLocal(f"{relation.key} is read")
            if {name for name, value in relation.args.items() if value} - allowed:
                raise NotLocal(f"{relation.sql()} is more than a table")
            if relation.args.get("alias") and relation.args["alias"].columns:
                raise NotLocal("columns are renamed")
            if join is not None and (
                join.side not in ("", "LEFT")
                or join.kind not in ("", "INNER", "CROSS", "OUTER")
                or {name for name, value in join.args.items() if value} - {"this", "side", "kind", "on"}
            ):
                raise NotLocal(f"a join of another kind: {join.side} {join.kind} {join.method}")
            found[relation.alias_or_name] = (relation, join)
        return found

    def outputs(self, select: exp.Select) -> dict[str, exp.Expression]:
        """What each column of the result is, in terms of the sources."""
        if id(select) not in self._outputs:
            self._outputs[id(select)] = self._find_outputs(select)
        return self._outputs[id(select)]

    def _find_outputs(self, select: exp.Select) -> dict[str, exp.Expression]:
        sources = self.sources(select)
        found: dict[str, exp.Expression] = {}
        for node in select.expressions:
            if node.is_star:
                starred = [node.table] if isinstance(node, exp.Column) else list(sources)
                star = node.this if isinstance(node, exp.Column) else node
                if any(star.args.values()) or not set(starred) <= set(sources):
                    raise NotLocal("a star with exceptions")
                for alias in starred:
                    for name in self.columns(sources[alias][0]):
                        if name in found:
                            raise NotLocal(f"two columns {name}")
                        found[name] = exp.column(name, alias)
                continue
            name = node.alias_or_name
            if not name or name in found:
                raise NotLocal("a column without a name, or two of one name")
            found[name] = self.qualified(node.unalias(), sources)
        return found

    def qualified(self, node: exp.Expression, sources: Sources) -> exp.Expression:
        """A copy in which each column says which source it is of; of an outer query's they stay."""
        copy = node.copy()
        for column in [copy] if isinstance(copy, exp.Column) else list(copy.find_all(exp.Column)):
            if column.table:
                continue
            of = [
                alias for alias in sources if len(sources) == 1 or self._has(sources[alias][0], column.name)
            ]
            if len(of) == 1:
                column.set("table", exp.to_identifier(of[0]))
        return copy

    def _has(self, relation: exp.Expression, column: str) -> bool:
        return column in self.columns(relation)

    def reads(self, node: exp.Expression, tables: set[str]) -> bool:
        """Whether it reads one of these tables, also through CTEs; so does what is not known."""
        named, ctes = self._tables_in(node)
        return not tables.isdisjoint(named) or any(
            name not in self.ctes or self.reads(self.ctes[name], tables) for name in ctes
        )

    def _tables_in(self, node: exp.Expression) -> tuple[set[str], set[str]]:
        """`layer.table` and CTEs that it names itself."""
        if id(node) not in self._tables:
            found = list(node.find_all(exp.Table))
            named = {f"{table.db}.{table.name}" for table in found if table.db}
            # With the node, whose id is its own as long as it lives.
            self._tables[id(node)] = named, {table.name for table in found if not table.db}, node
        return self._tables[id(node)][:2]

    def conditions(self, condition: exp.Expression | None, sources: Sources) -> list[exp.Expression]:
        if condition is None:
            return []
        parts = condition.flatten() if isinstance(condition, exp.And) else [condition]
        return [self.qualified(part.unnest(), sources) for part in parts]

    def conditions_of(self, join: exp.Join | None, sources: Sources) -> list[exp.Expression]:
        return self.conditions(join and join.args.get("on"), sources)

    def always_true(self, select: exp.Select, sources: Sources) -> list[exp.Expression]:
        """What holds for every row: WHERE, and ON of inner joins."""
        where = select.args.get("where")
        found = self.conditions(where and where.this, sources)
        for _, join in sources.values():
            if not is_optional(join):
                found += self.conditions_of(join, sources)
        return found

    def equal_where_joined(
        self, key: exp.Expression, strict: list[exp.Expression], sources: Sources
    ) -> list[exp.Expression]:
        """What is equal to the key, or NULL because a left join found nothing."""
        near = equal_to(key, strict)
        for alias, (_, join) in sources.items():
            if not is_optional(join):
                continue
            for condition in self.conditions_of(join, sources):
                # ON says something of the rows it finds, not of those it finds them for.
                found = [e for known in near for e in equal_to(known, [condition])]
                near += [e for e in found if source_of(e, sources) == alias and e not in near]
            near += [e for known in list(near) for e in equal_to(known, strict) if e not in near]
        return near

    def sides(
        self, union: exp.SetOperation, key: exp.Expression
    ) -> list[tuple[exp.Expression, exp.Expression]]:
        """Both parts of a union, each with the key in its own columns."""
        names, others = self.columns(union.this), self.columns(union.expression)
        if len(names) != len(others):
            raise NotLocal("a union of different widths")
        renamed = {name: exp.column(other) for name, other in zip(names, others, strict=True)}
        return [(union.this, key), (union.expression, put(key, renamed))]


def put(expression: exp.Expression, columns: Mapping[str, exp.Expression]) -> exp.Expression:
    """The expression with what its columns are in their places."""

    def replaced(node: exp.Expression) -> exp.Expression:
        if not isinstance(node, exp.Column):
            return node
        if node.name not in columns:
            raise NotLocal(f"there is no column {node.name}")
        found = columns[node.name].copy()
        return exp.paren(found) if isinstance(found, exp.Binary) and node.parent else found

    return expression.transform(replaced)


def bare(expression: exp.Expression) -> exp.Expression:
    """The expression without the names of the sources."""
    copy = expression.copy()
    for column in [copy] if isinstance(copy, exp.Column) else list(copy.find_all(exp.Column)):
        column.set("table", None)
    return copy


def source_of(expression: exp.Expression, sources: Sources) -> str | None:
    """The one source whose columns an expression is made of."""
    tables = {column.table for column in expression.find_all(exp.Column)}
    found = tables.pop() if len(tables) == 1 else None
    return found if found in sources else None


def is_plain_value(expression: exp.Expression) -> bool:
    return all(isinstance(node, _VALUE_NODES) for node in expression.walk())


def is_optional(join: exp.Join | None) -> bool:
    return join is not None and join.side == "LEFT"


def equalities(conditions: list[exp.Expression]) -> Iterator[tuple[exp.Expression, exp.Expression]]:
    for condition in conditions:
        if isinstance(condition, exp.EQ):
            yield condition.this, condition.expression
            yield condition.expression, condition.this


def equal_to(key: exp.Expression, conditions: list[exp.Expression]) -> list[exp.Expression]:
    """The key, and what these conditions say is equal to it."""
    found, open_ = [key], [key]
    while open_:
        known = open_.pop()
        columns = list(known.find_all(exp.Column))
        for one, other in equalities(conditions):
            equal = other if one == known else None
            if equal is None and columns == [one] and isinstance(other, exp.Column):
                equal = _with_column(known, other)
            if equal is not None and equal not in found:
                found.append(equal)
                open_.append(equal)
    return found


def _with_column(expression: exp.Expression, column: exp.Column) -> exp.Expression:
    return expression.transform(lambda node: column.copy() if isinstance(node, exp.Column) else node)


def excludes_null(condition: exp.Expression, key: exp.Expression) -> bool:
    if isinstance(condition, exp.Not):
        inner = condition.this.unnest()
        return isinstance(inner, exp.Is) and inner.this == key and isinstance(inner.expression, exp.Null)
    return isinstance(condition, exp.EQ) and key in (condition.this, condition.expression)


def queries_in(select: exp.Select) -> list[exp.Expression]:
    """The outermost queries within the expressions of a SELECT, not those it reads FROM."""
    parts = [select.args.get(name) for name in ("where", "group", "having", "order", "qualify", "distinct")]
    parts += [*select.expressions, *(join.args.get("on") for join in select.args.get("joins") or ())]
    found = []
    for part in parts:
        if part is not None:
            walked = part.walk(bfs=False, prune=lambda node: isinstance(node, exp.Query))
            found += [node for node in walked if isinstance(node, exp.Query)]
    return found
