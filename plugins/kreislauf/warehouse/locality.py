"""What of a statement has to be computed again when few rows of its inputs change: from its SQL alone.

A statement is *local* in a column of its result when each row of a key (a value of that column)
depends on no more than the input rows of the same key and on inputs that are looked up by equality.
Then the rows of the keys that a change touches are all that can differ, and the statement gives them
if it is run on the input rows of those keys.

    select contact_id, count(*) as orders from core.orders group by contact_id

is local in contact_id; it is not in orders. The check goes down from the result to the tables, scope
by scope. It is syntactic and errs to one side: what it does not know is not local.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

import sqlglot
from sqlglot import exp

DIALECT = "duckdb"

ColumnsOf = Callable[[str], list[str]]
"""The columns of `layer.table`."""

Sources = Mapping[str, tuple[exp.Expression, exp.Join | None]]
"""By alias, in order, what a SELECT reads, and the join that adds it."""

_KEY_NODES = (
    exp.Column, exp.Identifier, exp.Literal, exp.Cast, exp.DataType, exp.DPipe, exp.Concat, exp.Lower,
    exp.Trim, exp.MD5, exp.TimestampTrunc, exp.DateTrunc, exp.Var, exp.Paren, exp.Replace, exp.Nullif,
    exp.Coalesce, exp.DataTypeParam,
)  # fmt: skip
"""What a key may be made of: one value for one value, whatever row it stands in."""

_SELECT_ARGS = {
    "with_", "expressions", "from_", "joins", "where", "group", "having", "distinct", "order", "qualify",
}  # fmt: skip
_SET_ARGS = {"with_", "this", "expression", "distinct", "order", "by_name"}


class NotLocal(Exception):
    """The statement may depend on rows of other keys; says why."""


@dataclass
class Keys:
    """Values to be found before the statement is run; they are to stand in the table `name` as `key`.

    `changes`: (table, expression, nulls): its values in the rows of the table that were removed or
    added; NULL is one of them only where `nulls`.
    `lookups`: (table, expression, looked up by, keys): the expression's values in all rows of the table
    that look up one of those keys.
    """

    name: str
    changes: list[tuple[str, str, bool]] = field(default_factory=list)
    lookups: list[tuple[str, str, str, Keys]] = field(default_factory=list)

    def all(self) -> Iterator[Keys]:
        """These and those they need, in the order in which they can be found."""
        for *_, keys in self.lookups:
            yield from keys.all()
        yield self


@dataclass(frozen=True)
class Local:
    """How to compute a statement for some values of `column` alone: its rows are those with these keys.

    NULL is not among the keys it can be computed for; `nullable`: there may be such rows.
    """

    column: str
    keys: Keys
    nullable: bool
    statement: str


def localities(sql: str, changed: set[str], columns: ColumnsOf) -> Iterator[Local]:
    """Each column of the result in which the statement is local, when these tables have changed."""
    tree = sqlglot.parse_one(sql, read=DIALECT)
    try:
        names = _Analysis(tree, changed, columns).columns(tree)
    except NotLocal:
        return
    for name in names:
        analysis = _Analysis(tree, changed, columns)
        keys = analysis.new_keys()
        try:
            query, nullable = analysis.keyed(tree, exp.column(name), keys)
        except NotLocal:
            continue
        yield Local(name, keys, nullable, analysis.whole(query).sql(DIALECT))


@dataclass(frozen=True)
class _Made:
    """A CTE for the keys alone, and what of the keys it is about."""

    name: str
    query: exp.Expression
    nullable: bool
    changes: list[tuple[str, str, bool]]
    lookups: list[tuple[str, str, str, Keys]]


class _Analysis:
    """One statement, and what was found to be needed of it on the way down."""

    def __init__(self, tree: exp.Expression, changed: set[str], columns: ColumnsOf) -> None:
        with_ = tree.args.get("with_")
        if with_ and with_.args.get("recursive"):
            raise NotLocal("recursive")
        self._ctes = {cte.alias: cte.this for cte in with_.expressions} if with_ else {}
        self._changed = changed
        self._columns_of = columns
        self._made: dict[tuple[str, str, str, bool], _Made] = {}
        self._keys = 0

    def new_keys(self) -> Keys:
        self._keys += 1
        return Keys(f"keys_{self._keys}")

    def whole(self, query: exp.Expression) -> exp.Expression:
        """The query with those CTEs it reads, as written or for the keys."""
        made = {entry.name: entry.query for entry in self._made.values()}
        available, needed, open_ = self._ctes | made, {}, [query]
        while open_:
            for table in open_.pop().find_all(exp.Table):
                if not table.db and table.name in available and table.name not in needed:
                    needed[table.name] = available[table.name]
                    open_.append(available[table.name])
        query = query.copy()
        query.set("with_", None)
        # Those made read the written ones and each other, inner ones were made first.
        for name in [*self._ctes, *made]:
            if name in needed:
                query = query.with_(name, needed[name].copy(), copy=False)
        return query

    # -------------------------------------------------------------------------------- names

    def columns(self, relation: exp.Expression) -> list[str]:
        """The columns that a table, CTE or query gives."""
        if isinstance(relation, exp.Table):
            if relation.name in self._ctes and not relation.db:
                return self.columns(self._ctes[relation.name])
            if not relation.db:
                raise NotLocal(f"what {relation.sql()} is, is not known")
            return self._columns_of(f"{relation.db}.{relation.name}")
        if isinstance(relation, exp.Subquery):
            return self.columns(relation.this)
        if isinstance(relation, exp.SetOperation):
            return self.columns(relation.this)
        if isinstance(relation, exp.Select):
            return list(self._outputs(relation))
        raise NotLocal(f"{relation.key} is no query")

    def _sources(self, select: exp.Select) -> Sources:
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

    def _outputs(self, select: exp.Select) -> dict[str, exp.Expression]:
        """What each column of the result is, in terms of the sources."""
        sources = self._sources(select)
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
            found[name] = self._qualified(node.unalias(), sources)
        return found

    def _qualified(self, node: exp.Expression, sources: Sources) -> exp.Expression:
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

    def _is_changed(self, node: exp.Expression) -> bool:
        """Whether a table that it reads has changed, also through CTEs."""
        for table in node.find_all(exp.Table):
            if table.db:
                if f"{table.db}.{table.name}" in self._changed:
                    return True
            elif table.name not in self._ctes or self._is_changed(self._ctes[table.name]):
                return True
        return False

    # --------------------------------------------------------------------------------- keys

    def keyed(
        self, relation: exp.Expression, key: exp.Expression, keys: Keys, *, gives: bool = True
    ) -> tuple[exp.Expression, bool]:
        """The relation for the keys alone, `key` being made of its columns; whether it may be NULL.

        `gives`: the key of the result is the one of this relation; else it is only joined to it by
        equality, and NULL meets nothing.
        """
        try:
            with _undo(keys):
                if isinstance(relation, exp.Table):
                    return self._table(relation, key, keys, gives)
                if isinstance(relation, exp.Subquery):
                    query, nullable = self.keyed(relation.this, key, keys, gives=gives)
                    return exp.Subquery(this=query, alias=relation.args.get("alias")), nullable
                if isinstance(relation, exp.SetOperation):
                    return self._set_operation(relation, key, keys, gives)
                if isinstance(relation, exp.Select):
                    return self._select(relation, _put(key, self._outputs(relation)), keys, gives)
                raise NotLocal(f"{relation.key} is no query")
        except NotLocal:
            if not gives or not isinstance(relation, exp.Query) or self._is_changed(relation):
                raise
            if not key.find(exp.Column):
                raise
        # Its inputs are what they were, and so are its rows: computed whole, and then cut.
        whole = _plain(relation).subquery("whole")
        return exp.select("*").from_(whole).where(_among(key, keys)), True

    def _table(
        self, table: exp.Table, key: exp.Expression, keys: Keys, gives: bool
    ) -> tuple[exp.Expression, bool]:
        if table.db:
            name = f"{table.db}.{table.name}"
            if name in self._changed:
                keys.changes.append((name, key.sql(DIALECT), gives))
            rows = exp.select("*").from_(exp.table_(table.name, db=table.db)).where(_among(key, keys))
            return rows.subquery(table.alias_or_name), True
        if table.name not in self._ctes:
            raise NotLocal(f"what {table.name} is, is not known")
        known = (table.name, key.sql(DIALECT), keys.name, gives)
        if known not in self._made:
            inner = Keys(keys.name)
            query, nullable = self.keyed(self._ctes[table.name], key, inner, gives=gives)
            name = f"{table.name}_{keys.name}_{len(self._made)}"
            self._made[known] = _Made(name, query, nullable, inner.changes, inner.lookups)
        made = self._made[known]
        keys.changes.extend(made.changes)
        keys.lookups.extend(made.lookups)
        return exp.alias_(exp.table_(made.name), table.alias_or_name, table=True), made.nullable

    def _set_operation(
        self, union: exp.SetOperation, key: exp.Expression, keys: Keys, gives: bool
    ) -> tuple[exp.Expression, bool]:
        if {name for name, value in union.args.items() if value} - _SET_ARGS:
            raise NotLocal("a union with more to it")
        copy, nullable = _plain(union), False
        for side, (query, its_key) in zip(("this", "expression"), self._sides(union, key), strict=True):
            part, may_be = self.keyed(query, its_key, keys, gives=gives)
            copy.set(side, part)
            nullable |= may_be
        return copy, nullable

    def _sides(
        self, union: exp.SetOperation, key: exp.Expression
    ) -> list[tuple[exp.Expression, exp.Expression]]:
        """Both parts of a union, each with the key in its own columns."""
        names, others = self.columns(union.this), self.columns(union.expression)
        if len(names) != len(others):
            raise NotLocal("a union of different widths")
        renamed = {name: exp.column(other) for name, other in zip(names, others, strict=True)}
        return [(union.this, key), (union.expression, _put(key, renamed))]

    def _select(
        self, select: exp.Select, key: exp.Expression, keys: Keys, gives: bool
    ) -> tuple[exp.Expression, bool]:
        """A SELECT for the keys alone, `key` being made of its sources' columns."""
        if {name for name, value in select.args.items() if value} - _SELECT_ARGS:
            raise NotLocal("more than a plain SELECT")
        sources = self._sources(select)
        of = _source_of(key, sources)
        if of is None or not _is_plain_value(key):
            raise NotLocal(f"{key.sql()} is not made of one source")
        if _is_optional(sources[of][1]):
            raise NotLocal(f"{key.sql()} comes from the right of a left join")
        strict = self._always_true(select, sources)
        self._check_rows_of_a_key_meet(select, sources, _equal_to(key, strict))
        near = self._equal_where_joined(key, strict, sources)
        own = {alias: next((e for e in near if _source_of(e, sources) == alias), None) for alias in sources}
        own[of] = key

        copy, nullable = _plain(select), True
        for place, (alias, (relation, _)) in zip(
            [copy.args["from_"], *copy.args.get("joins", [])], sources.items(), strict=True
        ):
            if own[alias] is None:
                continue
            try:
                query, may_be = self.keyed(relation, _bare(own[alias]), keys, gives=gives and alias == of)
            except NotLocal:
                if alias == of:
                    raise
                own[alias] = None
                continue
            place.set("this", query)
            nullable = may_be if alias == of else nullable
        for alias, (relation, join) in sources.items():
            if own[alias] is None and self._is_changed(relation):
                self._looked_up(alias, sources, own, strict + self._conditions_of(join, sources), keys)
        self._inner_queries(select, copy, sources, near, keys)
        return copy, nullable and not any(_excludes_null(condition, key) for condition in strict)

    def _always_true(self, select: exp.Select, sources: Sources) -> list[exp.Expression]:
        """What holds for every row: WHERE, and ON of inner joins."""
        where = select.args.get("where")
        found = self._conditions(where and where.this, sources)
        for _, join in sources.values():
            if not _is_optional(join):
                found += self._conditions_of(join, sources)
        return found

    def _equal_where_joined(
        self, key: exp.Expression, strict: list[exp.Expression], sources: Sources
    ) -> list[exp.Expression]:
        """What is equal to the key, or NULL because a left join found nothing."""
        near = _equal_to(key, strict)
        for alias, (_, join) in sources.items():
            if not _is_optional(join):
                continue
            for condition in self._conditions_of(join, sources):
                # ON says something of the rows it finds, not of those it finds them for.
                found = [e for known in near for e in _equal_to(known, [condition])]
                near += [e for e in found if _source_of(e, sources) == alias and e not in near]
            near += [e for known in list(near) for e in _equal_to(known, strict) if e not in near]
        return near

    def _conditions(self, condition: exp.Expression | None, sources: Sources) -> list[exp.Expression]:
        if condition is None:
            return []
        parts = condition.flatten() if isinstance(condition, exp.And) else [condition]
        return [self._qualified(part.unnest(), sources) for part in parts]

    def _conditions_of(self, join: exp.Join | None, sources: Sources) -> list[exp.Expression]:
        return self._conditions(join and join.args.get("on"), sources)

    def _check_rows_of_a_key_meet(
        self, select: exp.Select, sources: Sources, same: list[exp.Expression]
    ) -> None:
        """Groups and windows are of one key each. Raises NotLocal."""
        group = select.args.get("group")
        if group is not None:
            if {name for name, value in group.args.items() if value} - {"expressions"}:
                raise NotLocal("grouping sets")
            self._check_parted(group.expressions, sources, same)
        elif select.args.get("having") is not None:
            raise NotLocal("HAVING without groups")
        if (distinct := select.args.get("distinct")) is not None and distinct.args.get("on"):
            raise NotLocal("DISTINCT ON")
        for window in select.find_all(exp.Window):
            if window.find_ancestor(exp.Select) is select:
                self._check_parted(window.args.get("partition_by") or [], sources, same)

    def _check_parted(self, by: list[exp.Expression], sources: Sources, same: list[exp.Expression]) -> None:
        parted = [self._qualified(node, sources) for node in by]
        for key in same:
            if key in parted or all(column in parted for column in key.find_all(exp.Column)):
                return
        raise NotLocal("rows of several keys are taken together")

    # ------------------------------------------------------------------------------ look-ups

    def _looked_up(
        self,
        alias: str,
        sources: Sources,
        own: dict[str, exp.Expression | None],
        conditions: list[exp.Expression],
        keys: Keys,
    ) -> None:
        """Note that the keys of all rows that look up a changed row of this source are touched, too."""
        for by, found in _equalities(conditions):
            reader = _source_of(by, sources)
            if _source_of(found, sources) != alias or reader in (None, alias) or own[reader] is None:
                continue
            looked_up = self.new_keys()
            try:
                self.keyed(sources[alias][0], _bare(found), looked_up, gives=False)
                readers = list(self._traced(sources[reader][0], _bare(own[reader]), _bare(by)))
            except NotLocal:
                continue
            keys.lookups += [(table, k.sql(DIALECT), b.sql(DIALECT), looked_up) for table, k, b in readers]
            return
        raise NotLocal(f"{alias} has changed and is not looked up by equality")

    def _traced(
        self, relation: exp.Expression, key: exp.Expression, by: exp.Expression
    ) -> Iterator[tuple[str, exp.Expression, exp.Expression]]:
        """The tables in one row of which both stand, in terms of their columns; of some rows too many."""
        if isinstance(relation, exp.Table) and relation.db:
            yield f"{relation.db}.{relation.name}", key, by
        elif isinstance(relation, exp.Table) and relation.name in self._ctes:
            yield from self._traced(self._ctes[relation.name], key, by)
        elif isinstance(relation, exp.Subquery):
            yield from self._traced(relation.this, key, by)
        elif isinstance(relation, exp.SetOperation):
            for (side, its_key), (_, its_by) in zip(
                self._sides(relation, key), self._sides(relation, by), strict=True
            ):
                yield from self._traced(side, its_key, its_by)
        elif isinstance(relation, exp.Select):
            sources, outputs = self._sources(relation), self._outputs(relation)
            key, by = _put(key, outputs), _put(by, outputs)
            of = _source_of(key, sources)
            if of is None or _source_of(by, sources) != of or _is_optional(sources[of][1]):
                raise NotLocal("what is looked up by does not stand in the row of the key")
            if not _is_plain_value(key) or not _is_plain_value(by):
                raise NotLocal("what is looked up by is computed")
            yield from self._traced(sources[of][0], _bare(key), _bare(by))
        else:
            raise NotLocal(f"{relation.key} is no query")

    def _inner_queries(
        self,
        select: exp.Select,
        copy: exp.Select,
        sources: Sources,
        near: list[exp.Expression],
        keys: Keys,
    ) -> None:
        """Queries within expressions: of unchanged tables, or EXISTS and IN about the same key."""
        for query, place in zip(_queries_in(select), _queries_in(copy), strict=True):
            if not self._is_changed(query):
                continue
            if isinstance(query.parent, exp.Exists) and isinstance(query, exp.Select):
                place.replace(self._existing(query, near, keys))
            elif (
                isinstance(query.parent, exp.In)
                and not isinstance(query.parent.parent, exp.Not)
                and self._qualified(query.parent.this, sources) in near
            ):
                column = exp.column(self.columns(query)[0])
                place.replace(self.keyed(query, column, keys, gives=False)[0])
            else:
                raise NotLocal("a query within an expression reads what has changed")

    def _existing(self, query: exp.Select, near: list[exp.Expression], keys: Keys) -> exp.Expression:
        inner = self._sources(query)
        where = query.args.get("where")
        for mine, outer in _equalities(self._conditions(where and where.this, inner)):
            its_own = {column.table for column in outer.find_all(exp.Column)} & set(inner)
            if outer in near and not its_own and _source_of(mine, inner) is not None:
                return self._select(query, mine, keys, gives=False)[0]
        raise NotLocal("EXISTS is not about rows of the same key")


# ------------------------------------------------------------------------------- expressions


@contextmanager
def _undo(keys: Keys) -> Generator[None]:
    """What was noted of the keys is forgotten if it comes to nothing."""
    changes, lookups = len(keys.changes), len(keys.lookups)
    try:
        yield
    except NotLocal:
        del keys.changes[changes:], keys.lookups[lookups:]
        raise


def _plain(query: exp.Expression) -> exp.Expression:
    """A copy without its CTEs, which are added again at the end."""
    copy = query.copy()
    copy.set("with_", None)
    return copy


def _among(key: exp.Expression, keys: Keys) -> exp.Expression:
    return exp.In(this=key.copy(), query=exp.select("key").from_(keys.name).subquery())


def _put(expression: exp.Expression, columns: Mapping[str, exp.Expression]) -> exp.Expression:
    """The expression with what its columns are in their places."""

    def replaced(node: exp.Expression) -> exp.Expression:
        if not isinstance(node, exp.Column):
            return node
        if node.name not in columns:
            raise NotLocal(f"there is no column {node.name}")
        found = columns[node.name].copy()
        return exp.paren(found) if isinstance(found, exp.Binary) and node.parent else found

    return expression.transform(replaced)


def _bare(expression: exp.Expression) -> exp.Expression:
    """The expression without the names of the sources."""
    copy = expression.copy()
    for column in [copy] if isinstance(copy, exp.Column) else list(copy.find_all(exp.Column)):
        column.set("table", None)
    return copy


def _source_of(expression: exp.Expression, sources: Sources) -> str | None:
    """The one source whose columns an expression is made of."""
    tables = {column.table for column in expression.find_all(exp.Column)}
    found = tables.pop() if len(tables) == 1 else None
    return found if found in sources else None


def _is_plain_value(expression: exp.Expression) -> bool:
    return all(isinstance(node, _KEY_NODES) for node in expression.walk())


def _is_optional(join: exp.Join | None) -> bool:
    return join is not None and join.side == "LEFT"


def _equalities(conditions: list[exp.Expression]) -> Iterator[tuple[exp.Expression, exp.Expression]]:
    for condition in conditions:
        if isinstance(condition, exp.EQ):
            yield condition.this, condition.expression
            yield condition.expression, condition.this


def _equal_to(key: exp.Expression, conditions: list[exp.Expression]) -> list[exp.Expression]:
    """The key, and what these conditions say is equal to it."""
    found, open_ = [key], [key]
    while open_:
        known = open_.pop()
        columns = list(known.find_all(exp.Column))
        for one, other in _equalities(conditions):
            equal = other if one == known else None
            if equal is None and columns == [one] and isinstance(other, exp.Column):
                equal = _with_column(known, other)
            if equal is not None and equal not in found:
                found.append(equal)
                open_.append(equal)
    return found


def _with_column(expression: exp.Expression, column: exp.Column) -> exp.Expression:
    return expression.transform(lambda node: column.copy() if isinstance(node, exp.Column) else node)


def _excludes_null(condition: exp.Expression, key: exp.Expression) -> bool:
    if isinstance(condition, exp.Not):
        inner = condition.this.unnest()
        return isinstance(inner, exp.Is) and inner.this == key and isinstance(inner.expression, exp.Null)
    return isinstance(condition, exp.EQ) and key in (condition.this, condition.expression)


def _queries_in(select: exp.Select) -> list[exp.Expression]:
    """The outermost queries within the expressions of a SELECT, not those it reads FROM."""
    parts = [select.args.get(name) for name in ("where", "group", "having", "order", "qualify", "distinct")]
    parts += [*select.expressions, *(join.args.get("on") for join in select.args.get("joins") or ())]
    found = []
    for part in parts:
        if part is not None:
            walked = part.walk(bfs=False, prune=lambda node: isinstance(node, exp.Query))
            found += [node for node in walked if isinstance(node, exp.Query)]
    return found
