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

from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from sqlglot import exp

from kreislauf.warehouse.scopes import (
    DIALECT,
    NotLocal,
    Scopes,
    Sources,
    bare,
    equal_to,
    equalities,
    excludes_null,
    is_optional,
    is_plain_value,
    put,
    queries_in,
    source_of,
)

_SELECT_ARGS = {
    "expressions", "from_", "joins", "where", "group", "having", "distinct", "order", "qualify",
}  # fmt: skip
_SET_ARGS = {"this", "expression", "distinct", "order"}


@dataclass
class Keys:
    """Values to be found before the statement is run; they are to stand in the table `name` as `key`.

    `changes`: (table, expression, nulls): its values in the rows of the table that were removed or added.
    `lookups`: (table, expression, nulls, looked up by, keys): its values in all rows of the table that
    look up one of those keys. NULL is a value only where `nulls`.
    """

    name: str
    changes: list[tuple[str, str, bool]] = field(default_factory=list)
    lookups: list[tuple[str, str, bool, str, Keys]] = field(default_factory=list)

    def all(self) -> Iterator[Keys]:
        """These and those they need, in the order in which they can be found."""
        for *_, keys in self.lookups:
            yield from keys.all()
        yield self


@dataclass(frozen=True)
class Local:
    """How to compute a statement for some values of `column` alone: its rows are those with these keys.

    It cannot be computed for NULL: when that is one of the keys.
    """

    column: str
    keys: Keys
    statement: str

    def keyed(self) -> list[tuple[str, str]]:
        """The tables that are read for the keys alone because they changed, each with its key."""
        return [(table, key) for table, key, _ in self.keys.changes]


def localities(scopes: Scopes, changed: set[str]) -> Iterator[Local]:
    """Each column of the result in which the statement is local, when these tables have changed."""
    try:
        names = scopes.columns(scopes.query)
    except NotLocal:
        return
    for name in names:
        try:
            yield local_in(name, scopes, changed)
        except NotLocal:
            continue


def local_in(column: str, scopes: Scopes, changed: set[str]) -> Local:
    """How to compute the statement by a column of its result. Raises NotLocal, which says why not."""
    analysis = _Analysis(scopes, changed)
    keys = analysis.new_keys()
    query = analysis.keyed(scopes.query, exp.column(column), keys, nulls=True)
    return Local(column, keys, scopes.with_ctes(query, analysis.made()).sql(DIALECT, copy=False))


@dataclass(frozen=True)
class _Made:
    """A CTE for the keys alone, and what of the keys it is about."""

    name: str
    query: exp.Expression
    changes: list[tuple[str, str, bool]]
    lookups: list[tuple[str, str, bool, str, Keys]]


class _Analysis:
    """One statement, and what was found to be needed of it on the way down."""

    def __init__(self, scopes: Scopes, changed: set[str]) -> None:
        self._scopes = scopes
        self._changed = changed
        self._made: dict[tuple[str, str, str, bool], _Made] = {}
        self._keys = 0

    def new_keys(self) -> Keys:
        self._keys += 1
        return Keys(f"keys_{self._keys}")

    def made(self) -> dict[str, exp.Expression]:
        """The CTEs for the keys alone, and what one reads before it."""
        return {entry.name: entry.query for entry in self._made.values()}

    # --------------------------------------------------------------------------------- keys

    def keyed(
        self, relation: exp.Expression, key: exp.Expression, keys: Keys, *, nulls: bool
    ) -> exp.Expression:
        """The relation for the keys alone, `key` being made of its columns.

        `nulls`: its rows without a key are rows of the result. They are not where it is joined to the key
        by equality, which NULL never is.
        """
        try:
            with _undo(keys):
                if isinstance(relation, exp.Table):
                    return self._table(relation, key, keys, nulls)
                if isinstance(relation, exp.Subquery):
                    query = self.keyed(relation.this, key, keys, nulls=nulls)
                    return exp.Subquery(this=query, alias=relation.args.get("alias"))
                if isinstance(relation, exp.SetOperation):
                    return self._set_operation(relation, key, keys, nulls)
                if isinstance(relation, exp.Select):
                    return self._select(relation, put(key, self._scopes.outputs(relation)), keys, nulls)
                raise NotLocal(f"{relation.key} is no query")
        except NotLocal:
            if not isinstance(relation, exp.Query) or self._scopes.reads(relation, self._changed):
                raise
            if isinstance(relation, exp.Subquery) or not key.find(exp.Column):
                raise
        # Its inputs are what they were, and so are its rows: computed whole, and then cut.
        return exp.select("*").from_(relation.copy().subquery("whole")).where(_among(key, keys))

    def _table(self, table: exp.Table, key: exp.Expression, keys: Keys, nulls: bool) -> exp.Expression:
        if table.db:
            name = f"{table.db}.{table.name}"
            if name in self._changed:
                keys.changes.append((name, key.sql(DIALECT), nulls))
            rows = exp.select("*").from_(exp.table_(table.name, db=table.db)).where(_among(key, keys))
            return rows.subquery(table.alias_or_name)
        if table.name not in self._scopes.ctes:
            raise NotLocal(f"what {table.name} is, is not known")
        known = (table.name, key.sql(DIALECT), keys.name, nulls)
        if known not in self._made:
            inner = Keys(keys.name)
            query = self.keyed(self._scopes.ctes[table.name], key, inner, nulls=nulls)
            name = f"{table.name}_{keys.name}_{len(self._made)}"
            self._made[known] = _Made(name, query, inner.changes, inner.lookups)
        made = self._made[known]
        keys.changes.extend(made.changes)
        keys.lookups.extend(made.lookups)
        return exp.alias_(exp.table_(made.name), table.alias_or_name, table=True)

    def _set_operation(
        self, union: exp.SetOperation, key: exp.Expression, keys: Keys, nulls: bool
    ) -> exp.Expression:
        if {name for name, value in union.args.items() if value} - _SET_ARGS:
            raise NotLocal("a union with more to it")
        sides = [self.keyed(query, its, keys, nulls=nulls) for query, its in self._scopes.sides(union, key)]
        return type(union)(**union.args | dict(zip(("this", "expression"), sides, strict=True)))

    def _select(self, select: exp.Select, key: exp.Expression, keys: Keys, nulls: bool) -> exp.Expression:
        """A SELECT for the keys alone, `key` being made of its sources' columns."""
        if {name for name, value in select.args.items() if value} - _SELECT_ARGS:
            raise NotLocal("more than a plain SELECT")
        sources = self._scopes.sources(select)
        of = source_of(key, sources)
        if of is None or not is_plain_value(key):
            raise NotLocal(f"{key.sql()} is not made of one source")
        if is_optional(sources[of][1]):
            raise NotLocal(f"{key.sql()} comes from the right of a left join")
        strict = self._scopes.always_true(select, sources)
        self._check_rows_of_a_key_meet(select, sources, equal_to(key, strict))
        near = self._scopes.equal_where_joined(key, strict, sources)
        own = {alias: next((e for e in near if source_of(e, sources) == alias), None) for alias in sources}
        own[of] = key

        nulls = nulls and not any(excludes_null(condition, key) for condition in strict)

        copy = select.copy()
        for place, (alias, (relation, _)) in zip(
            [copy.args["from_"], *copy.args.get("joins", [])], sources.items(), strict=True
        ):
            if own[alias] is None:
                continue
            try:
                place.set("this", self.keyed(relation, bare(own[alias]), keys, nulls=nulls and alias == of))
            except NotLocal:
                if alias == of:
                    raise
                own[alias] = None
        for alias, (relation, join) in sources.items():
            if own[alias] is None and self._scopes.reads(relation, self._changed):
                conditions = strict + self._scopes.conditions_of(join, sources)
                nulls_of = of if nulls else None
                self._looked_up(alias, sources, own, conditions, nulls_of, keys)
        self._inner_queries(select, copy, sources, near, keys)
        return copy

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
        parted = [self._scopes.qualified(node, sources) for node in by]
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
        nulls_of: str | None,
        keys: Keys,
    ) -> None:
        """Note that the keys of all rows that look up a changed row of this source are touched, too."""
        for by, found in equalities(conditions):
            reader = source_of(by, sources)
            if source_of(found, sources) != alias or reader in (None, alias) or own[reader] is None:
                continue
            looked_up = self.new_keys()
            try:
                self.keyed(sources[alias][0], bare(found), looked_up, nulls=False)
                readers = list(self._traced(sources[reader][0], bare(own[reader]), bare(by)))
            except NotLocal:
                continue
            nulls = reader == nulls_of
            keys.lookups += [
                (table, k.sql(DIALECT), nulls, b.sql(DIALECT), looked_up) for table, k, b in readers
            ]
            return
        raise NotLocal(f"{alias} has changed and is not looked up by equality")

    def _traced(
        self, relation: exp.Expression, key: exp.Expression, by: exp.Expression
    ) -> Iterator[tuple[str, exp.Expression, exp.Expression]]:
        """The tables in one row of which both stand, in terms of their columns; of some rows too many."""
        if isinstance(relation, exp.Table) and relation.db:
            yield f"{relation.db}.{relation.name}", key, by
        elif isinstance(relation, exp.Table) and relation.name in self._scopes.ctes:
            yield from self._traced(self._scopes.ctes[relation.name], key, by)
        elif isinstance(relation, exp.Subquery):
            yield from self._traced(relation.this, key, by)
        elif isinstance(relation, exp.SetOperation):
            for (side, its_key), (_, its_by) in zip(
                self._scopes.sides(relation, key), self._scopes.sides(relation, by), strict=True
            ):
                yield from self._traced(side, its_key, its_by)
        elif isinstance(relation, exp.Select):
            sources, outputs = self._scopes.sources(relation), self._scopes.outputs(relation)
            key, by = put(key, outputs), put(by, outputs)
            of = source_of(key, sources)
            if of is None or source_of(by, sources) != of or is_optional(sources[of][1]):
                raise NotLocal("what is looked up by does not stand in the row of the key")
            if not is_plain_value(key) or not is_plain_value(by):
                raise NotLocal("what is looked up by is computed")
            yield from self._traced(sources[of][0], bare(key), bare(by))
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
        for query, place in zip(queries_in(select), queries_in(copy), strict=True):
            if not self._scopes.reads(query, self._changed):
                continue
            if isinstance(query.parent, exp.Exists) and isinstance(query, exp.Select):
                place.replace(self._existing(query, near, keys))
            elif (
                isinstance(query.parent, exp.In)
                and not isinstance(query.parent.parent, exp.Not)
                and self._scopes.qualified(query.parent.this, sources) in near
            ):
                column = exp.column(self._scopes.columns(query)[0])
                place.replace(self.keyed(query, column, keys, nulls=False))
            else:
                raise NotLocal("a query within an expression reads what has changed")

    def _existing(self, query: exp.Select, near: list[exp.Expression], keys: Keys) -> exp.Expression:
        inner = self._scopes.sources(query)
        where = query.args.get("where")
        for mine, outer in equalities(self._scopes.conditions(where and where.this, inner)):
            its_own = {column.table for column in outer.find_all(exp.Column)} & set(inner)
            if outer in near and not its_own and source_of(mine, inner) is not None:
                return self._select(query, mine, keys, nulls=False)
        raise NotLocal("EXISTS is not about rows of the same key")


@contextmanager
def _undo(keys: Keys) -> Generator[None]:
    """What was noted of the keys is forgotten if it comes to nothing."""
    changes, lookups = len(keys.changes), len(keys.lookups)
    try:
        yield
    except NotLocal:
        del keys.changes[changes:], keys.lookups[lookups:]
        raise


def _among(key: exp.Expression, keys: Keys) -> exp.Expression:
    return exp.In(this=key.copy(), query=exp.select("key").from_(keys.name).subquery())
