"""The portable dialect: a subset of PostgreSQL plus nine functions, compiled to each engine.

The nine stand for what no two dialects write, or worse mean, the same way. They are written like
ordinary functions; the compiler puts the engine's form in their place. What else is allowed is
said, and enforced, by `kreislauf.warehouse.lint`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass

import sqlglot
from sqlglot import exp

PORTABLE = "postgres"
"""The dialect that portable SQL is parsed as."""

DIALECTS = ("duckdb", "postgres", "spark")


@dataclass(frozen=True)
class Function:
    """One portable function: its parameters, its result's type, and its form on each engine."""

    parameters: tuple[str, ...]
    type: str
    meaning: str
    duckdb: str
    postgres: str
    spark: str


def _everywhere(parameters: tuple[str, ...], type: str, meaning: str, form: str) -> Function:
    return Function(parameters, type, meaning, form, form, form.replace("DOUBLE PRECISION", "DOUBLE"))


_DOUBLE = "CAST({} AS DOUBLE PRECISION)"
_EXPONENT = (
    f"{_DOUBLE.format('{exponent}')}"
    f" * LN(CASE WHEN {_DOUBLE.format('{base}')} > 0 THEN {_DOUBLE.format('{base}')} END)"
)

FUNCTIONS: dict[str, Function] = {
    "DAYS_BETWEEN": Function(
        ("start", "end"),
        "BIGINT",
        "calendar days from start to end; negative when end is earlier",
        duckdb="DATE_DIFF('day', CAST({start} AS DATE), CAST({end} AS DATE))",
        postgres="CAST(CAST({end} AS DATE) - CAST({start} AS DATE) AS BIGINT)",
        spark="CAST(DATEDIFF(CAST({end} AS DATE), CAST({start} AS DATE)) AS BIGINT)",
    ),
    "SECONDS_BETWEEN": Function(
        ("start", "end"),
        "BIGINT",
        "whole seconds from start to end, fractions cut off both",
        duckdb="DATE_DIFF('second', CAST({start} AS TIMESTAMP), CAST({end} AS TIMESTAMP))",
        postgres="CAST(EXTRACT(EPOCH FROM DATE_TRUNC('second', CAST({end} AS TIMESTAMP)))"
        " - EXTRACT(EPOCH FROM DATE_TRUNC('second', CAST({start} AS TIMESTAMP))) AS BIGINT)",
        spark="(UNIX_TIMESTAMP(CAST({end} AS TIMESTAMP_NTZ))"
        " - UNIX_TIMESTAMP(CAST({start} AS TIMESTAMP_NTZ)))",
    ),
    "CALENDAR_MONTHS_BETWEEN": _everywhere(
        ("start", "end"),
        "BIGINT",
        "month boundaries between start and end: from 31 January to 1 February is one",
        "CAST((EXTRACT(YEAR FROM {end}) * 12 + EXTRACT(MONTH FROM {end}))"
        " - (EXTRACT(YEAR FROM {start}) * 12 + EXTRACT(MONTH FROM {start})) AS BIGINT)",
    ),
    "ADD_DAYS": Function(
        ("day", "days"),
        "DATE",
        "the date that many days later",
        duckdb="CAST(CAST({day} AS DATE) + TO_DAYS(CAST({days} AS INTEGER)) AS DATE)",
        postgres="(CAST({day} AS DATE) + CAST({days} AS INTEGER))",
        spark="DATE_ADD(CAST({day} AS DATE), CAST({days} AS INTEGER))",
    ),
    "RATIO": _everywhere(
        ("part", "whole"),
        "DOUBLE PRECISION",
        "division in double precision; NULL when whole is 0",
        f"({_DOUBLE.format('{part}')} / NULLIF({_DOUBLE.format('{whole}')}, 0))",
    ),
    "MEDIAN": Function(
        ("value",),
        "DOUBLE PRECISION",
        "the exact median, halfway between the two middle values of an even number",
        duckdb="MEDIAN(CAST({value} AS DOUBLE))",
        postgres="PERCENTILE_CONT(0.5) WITHIN GROUP (ORDER BY CAST({value} AS DOUBLE PRECISION))",
        spark="MEDIAN(CAST({value} AS DOUBLE))",
    ),
    "DECAY": _everywhere(
        ("value", "age", "half_life"),
        "DECIMAL(18, 6)",
        "value halved once every half_life of age; a decimal, so that sums do not depend on the order",
        f"CAST({_DOUBLE.format('{value}')} * POWER({_DOUBLE.format('0.5')},"
        f" {_DOUBLE.format('{age}')} / {_DOUBLE.format('{half_life}')}) AS DECIMAL(18, 6))",
    ),
    "POWER": _everywhere(
        ("base", "exponent"),
        "DOUBLE PRECISION",
        "base to the power of exponent: NULL unless base is above 0, 0 below e^-690, NULL above e^690;"
        " engines may differ in the last bit, so cast each to a decimal before they are summed",
        f"CASE WHEN {_EXPONENT} < -690 THEN {_DOUBLE.format('0')} WHEN {_EXPONENT} <= 690"
        f" THEN POWER({_DOUBLE.format('{base}')}, {_DOUBLE.format('{exponent}')}) END",
    ),
    "SQRT": _everywhere(
        ("value",),
        "DOUBLE PRECISION",
        "the square root; NULL of a negative value",
        f"SQRT(CASE WHEN {_DOUBLE.format('{value}')} >= 0 THEN {_DOUBLE.format('{value}')} END)",
    ),
}


def parse(sql: str) -> exp.Expression:
    """The syntax tree of one portable statement.

    Raises:
        sqlglot.errors.ParseError: when it is not valid SQL, or more than one statement.
    """
    return sqlglot.parse_one(sql, read=PORTABLE)


def compile_sql(sql: str | exp.Expression, dialect: str, *, pretty: bool = True) -> str:
    """Portable SQL in an engine's dialect; `:name` parameters stay in that dialect's form.

    Raises:
        ValueError: a portable function with the wrong number of arguments.
    """
    if dialect not in DIALECTS:
        raise ValueError(f"unknown dialect {dialect!r}; there are {', '.join(DIALECTS)}")
    tree = parse(sql) if isinstance(sql, str) else sql.copy()
    for node in list(tree.find_all(exp.Cast)):
        _keep_the_day(node)
    # Innermost first, so that an argument is in the engine's form before its function is.
    for node in reversed(list(tree.walk(bfs=True))):
        call = function_call(node)
        if call is None:
            continue
        name, arguments = call
        rendered = [argument.sql(dialect=dialect, copy=False) for argument in arguments]
        function = FUNCTIONS[name]
        form = exp.Var(
            this=getattr(function, dialect).format(**dict(zip(function.parameters, rendered, strict=True)))
        )
        if node is tree:
            return form.sql(dialect=dialect, copy=False)
        node.replace(form)
    if dialect == "spark":
        _qualify_having(tree)
    else:
        _read_anew(tree)
    return tree.sql(dialect=dialect, pretty=pretty, copy=False)


def _read_anew(tree: exp.Expression) -> None:
    """A CTE that does no more than read columns of tables does so each time it is named.

    DuckDB and PostgreSQL keep the rows of a CTE that is named twice in memory; Spark never does.
    """
    reading: dict[str, exp.CTE] = {}
    for cte in tree.find_all(exp.CTE):
        if _only_reads(cte.this, reading):
            reading[cte.alias] = cte
    named = Counter(table.name for table in tree.find_all(exp.Table) if not table.db)
    # From the last, since what reads several times names several times what it reads.
    for name, cte in reversed(reading.items()):
        if named[name] > 1:
            cte.set("materialized", False)
            named.update({table.name: named[name] for table in cte.this.find_all(exp.Table)})


def _only_reads(query: exp.Expression, reading: Collection[str]) -> bool:
    """Whether it reads columns of a table, or of one of these CTEs; or is the rows of several such."""
    if isinstance(query, exp.Union):
        sides = (query.left, query.right)
        return not query.args.get("distinct") and all(_only_reads(side, reading) for side in sides)
    if not isinstance(query, exp.Select) or query.find(exp.Subquery):
        return False
    if {name for name, value in query.args.items() if value} - {"expressions", "from_", "where"}:
        return False
    table = query.args.get("from_") and query.args["from_"].this
    plain = (exp.Column, exp.Star, exp.Literal)
    return (
        isinstance(table, exp.Table)
        and (bool(table.db) or table.name in reading)
        and all(isinstance(column.unalias(), plain) for column in query.expressions)
    )


def _qualify_having(tree: exp.Expression) -> None:
    """`having min(x) > 1` is about the column x, also where the SELECT names another one so.

    Sail takes the SELECT's. A HAVING over a join names its tables by itself.
    """
    for select in tree.find_all(exp.Select):
        having, source = select.args.get("having"), select.args.get("from_")
        if having is None or source is None or select.args.get("joins"):
            continue
        for column in having.find_all(exp.Column):
            if not column.table and column.name in select.named_selects:
                column.set("table", exp.to_identifier(source.this.alias_or_name))


_OF_DAYS = ("DAYS_BETWEEN", "ADD_DAYS", "CALENDAR_MONTHS_BETWEEN")


def _keep_the_day(moment: exp.Cast) -> None:
    """Cut a written moment to its day where only the day counts.

    So a statement that asks for the day of `as_of` alone stays the same all day, and with it its result.
    """
    if not moment.to.is_type("timestamp") or not isinstance(moment.this, exp.Literal):
        return
    parent = moment.parent
    is_day = (
        (isinstance(parent, exp.Cast) and parent.to.is_type("date"))
        or (isinstance(parent, exp.Anonymous) and parent.name.upper() in _OF_DAYS)
        or (isinstance(parent, exp.TimestampTrunc) and parent.text("unit").upper() not in ("HOUR", "MINUTE"))
    )
    if is_day:
        moment.set("this", exp.Literal.string(f"{moment.this.name[:10]} 00:00:00"))


def function_call(node: exp.Expression) -> tuple[str, list[exp.Expression]] | None:
    """Name and arguments, when the node calls one of the nine functions.

    Raises:
        ValueError: the number of arguments is wrong.
    """
    if isinstance(node, exp.Median | exp.Sqrt):
        return node.sql_name(), [node.this]
    if isinstance(node, exp.Pow):
        return "POWER", [node.this, node.expression]
    if not isinstance(node, exp.Anonymous) or node.name.upper() not in FUNCTIONS:
        return None
    name = node.name.upper()
    wanted = FUNCTIONS[name].parameters
    if len(node.expressions) != len(wanted):
        raise ValueError(
            f"{name} takes {len(wanted)} arguments ({', '.join(wanted)}), not {len(node.expressions)}"
        )
    return name, node.expressions
