"""Statements that take each row by itself: what they make of some rows does not depend on the others.

    select 'engaged' as name, contact_id from segments.engaged
    union all
    select 'asked' as name, contact_id from segments.asked where asked_at is not null

Of such a statement the rows that are new, and those that are gone, are what it makes of the rows that are
new or gone in its inputs: nothing else has to be read. Plain projections, conditions and unions are
linear, and inner or left joins of what changed to what did not. What it does not know is not.
"""

from __future__ import annotations

from sqlglot import exp

from kreislauf.warehouse.scopes import DIALECT, NotLocal, Scopes, is_optional, queries_in

_SELECT_ARGS = {"expressions", "from_", "joins", "where"}
_SET_ARGS = {"this", "expression", "order"}
_OF_SEVERAL_ROWS = (exp.AggFunc, exp.Window, exp.UDTF, exp.Anonymous, exp.Rand)


def linear(scopes: Scopes, changed: set[str]) -> str | None:
    """The statement for changes alone: each changed table `layer.name` read as `changed_layer_name`.

    None if the statement is not linear in these tables. Its columns may have other names.
    """
    try:
        query = _of_changes(scopes.query, scopes, changed)
    except NotLocal:
        return None
    return scopes.with_ctes(query, {}).sql(DIALECT, copy=False) if query is not None else None


def changed_name(table: str) -> str:
    """What the rows of a table that are new or gone are called in the statement."""
    return f"changed_{table.replace('.', '_')}"


def _of_changes(relation: exp.Expression, scopes: Scopes, changed: set[str]) -> exp.Expression | None:
    """What the relation makes of the changes; None if it reads nothing that changed."""
    if not scopes.reads(relation, changed):
        return None
    if isinstance(relation, exp.Table) and relation.db:
        name = changed_name(f"{relation.db}.{relation.name}")
        return exp.select("*").from_(exp.table_(name))
    if isinstance(relation, exp.Table):
        if relation.name not in scopes.ctes:
            raise NotLocal(f"what {relation.name} is, is not known")
        return _of_changes(scopes.ctes[relation.name], scopes, changed)
    if isinstance(relation, exp.Subquery):
        return _of_changes(relation.this, scopes, changed)
    if isinstance(relation, exp.SetOperation):
        return _union(relation, scopes, changed)
    if isinstance(relation, exp.Select):
        return _select(relation, scopes, changed)
    raise NotLocal(f"{relation.key} is no query")


def _union(union: exp.SetOperation, scopes: Scopes, changed: set[str]) -> exp.Expression | None:
    is_all = isinstance(union, exp.Union) and not union.args.get("distinct")
    given = {name for name, value in union.args.items() if value}
    if not is_all or given - _SET_ARGS:
        raise NotLocal("a union with more to it")
    if len(scopes.columns(union.this)) != len(scopes.columns(union.expression)):
        raise NotLocal("a union of different widths")
    sides = [_of_changes(side, scopes, changed) for side in (union.this, union.expression)]
    left, right = sides
    if left is None or right is None:
        # A union is named after its first part, which may be left out.
        names, rest = scopes.columns(union), left if right is None else right
        return _named(rest, names) if rest is not None else None
    return exp.Union(this=left, expression=right, distinct=False)


def _named(query: exp.Expression, names: list[str]) -> exp.Expression:
    alias = exp.TableAlias(this=exp.to_identifier("part"), columns=[exp.to_identifier(n) for n in names])
    return exp.select("*").from_(exp.Subquery(this=query, alias=alias))


def _select(select: exp.Select, scopes: Scopes, changed: set[str]) -> exp.Expression:
    if {name for name, value in select.args.items() if value} - _SELECT_ARGS:
        raise NotLocal("more than a plain SELECT")
    if any(scopes.reads(query, changed) for query in queries_in(select)):
        raise NotLocal("a query within an expression reads what has changed")
    sources = scopes.sources(select)
    of_changes = {alias for alias, (read, _) in sources.items() if scopes.reads(read, changed)}
    if len(of_changes) != 1:
        raise NotLocal("two of its inputs have changed")
    [alias] = of_changes
    if is_optional(sources[alias][1]):
        raise NotLocal("what has changed stands to the right of a left join")
    conditions = (join.args.get("on") for join in select.args.get("joins") or ())
    for part in (*select.expressions, select.args.get("where"), *conditions):
        if part is not None and part.find(*_OF_SEVERAL_ROWS):
            raise NotLocal("rows are taken together")
    copy = select.copy()
    for place, (name, (relation, _)) in zip(
        [copy.args["from_"], *copy.args.get("joins", [])], sources.items(), strict=True
    ):
        if name == alias:
            changes = _of_changes(relation, scopes, changed)
            place.set("this", exp.Subquery(this=changes, alias=exp.TableAlias(this=exp.to_identifier(name))))
    return copy
