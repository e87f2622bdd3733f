"""The portable rules: what would fail on another engine, or worse, give another result there.

Each finding says where it is and what to write instead. The rules come from comparing 153
constructs on DuckDB, PostgreSQL and Spark; a function that is not listed here has not been
compared, and is refused for that reason.
"""

from __future__ import annotations

import difflib
import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from sqlglot import exp
from sqlglot.errors import OptimizeError
from sqlglot.optimizer.annotate_types import annotate_types
from sqlglot.optimizer.qualify import qualify
from sqlglot.tokens import TokenType

from kreislauf.warehouse.dialect import FUNCTIONS, PORTABLE, function_call
from kreislauf.warehouse.models import Model, ModelError, line_of, load_models
from kreislauf.warehouse.schema import Schema

CONTRACTS: dict[str, tuple[str, ...]] = {
    "segments": ("contact_id",),
    "scores": ("contact_id",),
    "lifecycle": ("contact_id",),
    "conditions": ("contact_id", "occurred_at"),
    "triggers": ("contact_id", "occurrence_id", "occurred_at"),
    "audiences": ("contact_id",),
    "cleanup": ("contact_id", "email", "reason", "evidence"),
}
"""Columns that every table of a layer gives, for those who read it."""

ITEMS_CONTRACT = ("contact_id", "occurrence_id", "position")
"""Columns of `triggers.<trigger>_items`."""

PORTABLE_FUNCTIONS = (
    # aggregates and windows
    exp.Count, exp.Sum, exp.Min, exp.Max, exp.LogicalAnd, exp.LogicalOr, exp.GroupConcat, exp.Median,
    exp.RowNumber, exp.Rank, exp.DenseRank, exp.Ntile, exp.Lag, exp.Lead, exp.FirstValue, exp.LastValue,
    # conditions
    exp.And, exp.Or, exp.Case, exp.If, exp.Exists, exp.Coalesce, exp.Nullif, exp.Greatest, exp.Least,
    exp.Cast,
    # text
    exp.Lower, exp.Trim, exp.Length, exp.Substring, exp.Left, exp.Right, exp.Replace, exp.StrPosition,
    exp.SplitPart, exp.StartsWith, exp.MD5, exp.RegexpLike, exp.Concat, exp.ConcatWs,
    # numbers and time
    exp.Abs, exp.Floor, exp.Ceil, exp.Sign, exp.Pow, exp.Sqrt, exp.TimestampTrunc, exp.DateTrunc, exp.Extract,
)  # fmt: skip

_FLATTEN = "JSON differs between engines; flatten it when it is ingested (sources/streams.py)"
_INSTEAD: dict[type[exp.Expression], str] = {
    exp.Avg: "avg() is exact on one engine and double on the next; write RATIO(sum(x), count(x))",
    exp.Round: "round() breaks ties differently; write cast(x as decimal(18, 2))",
    exp.PercentileCont: "only the median is portable; write MEDIAN(x)",
    exp.PercentileDisc: "only the median is portable; write MEDIAN(x)",
    exp.Quantile: "only the median is portable; write MEDIAN(x)",
    exp.Upper: "upper('ß') differs between engines; compare lower(x), and write codes as they are",
    exp.ToChar: "to_char() differs between engines; write date_trunc() or cast(x as date)",
    exp.TimeToStr: "to_char() differs between engines; write date_trunc() or cast(x as date)",
    exp.RegexpReplace: "regexp_replace() replaces the first match here and all there; write replace()",
    exp.Log: "log() has another base on each engine; leave logarithms to Python",
    exp.Ln: "leave logarithms to Python",
    exp.ArgMax: "rank with row_number() and keep row 1",
    exp.ArgMin: "rank with row_number() and keep row 1",
    exp.AnyValue: "any_value() may give another row each time; write min() or max()",
    exp.Array: "arrays differ between engines; flatten them when they are ingested",
    exp.ArrayAgg: "arrays differ between engines; write string_agg(x, ';' order by x)",
    exp.JSONExtract: _FLATTEN,
    exp.JSONExtractScalar: _FLATTEN,
    exp.GenerateSeries: "generate_series() is not portable; write a values list",
    exp.ExplodingGenerateSeries: "generate_series() is not portable; write a values list",
    exp.Rand: "a build gives the same rows each time; there is no random()",
    exp.DateDiff: "write DAYS_BETWEEN(start, end)",
    exp.TryCast: "try_cast() is not portable; types are settled when data is ingested",
}
_CLOCKS = (
    exp.CurrentDate,
    exp.CurrentTime,
    exp.CurrentTimestamp,
    exp.CurrentDatetime,
    exp.Localtime,
    exp.Localtimestamp,
)
_FIELDS = {"YEAR", "MONTH", "DAY", "HOUR", "MINUTE"}
_NEEDS_ORDER = (
    exp.RowNumber,
    exp.Ntile,
    exp.Lag,
    exp.Lead,
    exp.FirstValue,
    exp.LastValue,
    exp.Rank,
    exp.DenseRank,
)
_WHOLE = {exp.DataType.Type.INT, exp.DataType.Type.BIGINT, exp.DataType.Type.SMALLINT}
_STORED_TYPES = ("VARCHAR", "BIGINT", "INTEGER", "BOOLEAN", "DATE", "TIMESTAMP", "DOUBLE", "DECIMAL")

Message = tuple[exp.Expression, str]


@dataclass(frozen=True, order=True)
class Finding:
    """One breach of the rules. It reads `file:line: what to write instead`."""

    path: Path
    line: int
    message: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.message}"


def lint(model: Model, schema: Mapping[str, Mapping[str, str]]) -> list[Finding]:
    """What to change in one model, in the order of its lines; empty when it is portable.

    Args:
        schema: columns and types of the tables that the model reads.
    """
    found = [Finding(model.path, line, message) for line, message in _by_text(model)]
    rules = (_statement, _functions, _operators, _casts, _queries, _windows)
    for rule in rules:
        found += [_finding(model, node, message) for node, message in rule(model.tree)]
    found += [Finding(model.path, 1, message) for message in _contract(model)]
    try:
        qualified = _qualify(model, schema)
    except ValueError:  # a function with too few arguments, which is among the findings
        return sorted(set(found))
    except OptimizeError as error:
        return sorted({*found, _unknown_column(model, error, schema)})
    found += [_finding(model, node, message) for node, message in _temporal(qualified)]
    return sorted(set(found))


def lint_all(sql_dir: Path) -> list[Finding]:
    """Findings in all models under a folder, including those that make a file unusable."""
    try:
        models = load_models(sql_dir)
    except ModelError as error:
        return [Finding(error.path, error.line or 1, error.reason)]
    schema = Schema(models)
    found: list[Finding] = []
    broken: set[Path] = set()
    for model in models.values():
        try:
            found += lint(model, schema)
            found += _stored_types(model, schema)
        except ModelError as error:
            # A broken model is reported once, not again by each that reads it.
            if error.path not in broken and not any(f.path == error.path for f in found):
                found.append(Finding(error.path, error.line or 1, error.reason))
            broken.add(error.path)
    return sorted(set(found))


def unusable(models: Mapping[str, Model]) -> list[Finding]:
    """What keeps files from running at all, found without any rows: an unknown column, types that do not
    fit. Each broken file once, not again for those that read it.
    """
    schema = Schema(models)
    found: dict[Path, Finding] = {}
    for model in models.values():
        try:
            schema[model.name]
        except ModelError as error:
            if error.path not in found:
                found[error.path] = _why(model, error, schema)
    return sorted(found.values())


def _why(model: Model, error: ModelError, schema: Schema) -> Finding:
    """With its line where a column is unknown, else as the engine says it."""
    try:
        _qualify(model, schema)
    except OptimizeError as unresolved:
        return _unknown_column(model, unresolved, schema)
    except ValueError:  # a function with too few arguments
        pass
    return Finding(error.path, error.line or 1, error.reason)


def _finding(model: Model, node: exp.Expression, message: str) -> Finding:
    line = line_of(node)
    while line is None and node.parent is not None:
        node = node.parent
        line = line_of(node)
    return Finding(model.path, line or 1, message)


def _by_text(model: Model) -> Iterator[tuple[int, str]]:
    from sqlglot.dialects.postgres import Postgres

    for token in Postgres().tokenize(model.rendered(Schema.AS_OF)):
        if token.token_type == TokenType.DCOLON:
            yield token.line, "write cast(x as type) instead of x::type"
        if token.token_type == TokenType.STRING and "\\" in token.text:
            yield (
                token.line,
                "a backslash in a text means another thing on Spark; write [0-9] for \\d, [.] for \\.",
            )


def _statement(tree: exp.Expression) -> Iterator[Message]:
    for part, name in (("order", "order by"), ("limit", "limit"), ("offset", "offset")):
        if tree.args.get(part):
            yield tree.args[part], f"no {name} at the end: a table has no order and is read whole"
    if tree.is_star:
        yield tree, "name the columns of the last SELECT instead of *"


def _functions(tree: exp.Expression) -> Iterator[Message]:
    for node in tree.find_all(exp.Func):
        if isinstance(node, _CLOCKS):
            yield node, "there is one clock; write {{ as_of }}"
        elif isinstance(node, exp.Anonymous):
            yield from _named_function(node)
        elif type(node) in _INSTEAD:
            yield node, _INSTEAD[type(node)]
        elif not isinstance(node, (*PORTABLE_FUNCTIONS, exp.Window)):
            yield node, f"{node.sql_name().lower()}() is not among the functions compared on all engines"
        elif isinstance(node, exp.Extract) and node.name.upper() not in _FIELDS:
            instead = {"EPOCH": "SECONDS_BETWEEN(start, end)"}.get(node.name.upper(), "date_trunc()")
            yield node, f"extract({node.name.lower()} …) differs between engines; write {instead}"
        elif isinstance(node, exp.GroupConcat) and not node.find(exp.Order):
            yield node, "string_agg() needs an order: string_agg(x, ';' order by x)"


def _named_function(node: exp.Anonymous) -> Iterator[Message]:
    name = node.name.upper()
    if name not in FUNCTIONS:
        instead = {"AGE": "DAYS_BETWEEN(start, end)", "NOW": "{{ as_of }}"}.get(name)
        yield node, f"{name.lower()}() is not portable" + (f"; write {instead}" if instead else "")
        return
    try:
        function_call(node)
    except ValueError as error:
        yield node, str(error)


def _operators(tree: exp.Expression) -> Iterator[Message]:
    for node in tree.find_all(exp.Div):
        yield node, "/ means integer division on one engine only; write RATIO(a, b)"
    for node in tree.find_all(exp.Mod):
        if not (isinstance(node.expression, exp.Literal) and node.expression.name.strip("0.")):
            yield node, "% by 0 fails here and is NULL there; divide by a constant"
    for node in tree.find_all(exp.Mul):
        if isinstance(node.this, exp.Interval) or isinstance(node.expression, exp.Interval):
            yield node, "intervals are constants; write ADD_DAYS(day, n) or interval '14 days'"
    for node in tree.find_all(exp.RegexpILike):
        yield node, "~* is not portable; write lower(x) ~ '…'"
    for node in tree.find_all(exp.In):
        if node.args.get("query"):
            yield node, "in (select …) treats NULL as a trap; write exists (select 1 from … where …)"
        if isinstance(node.this, exp.Tuple):
            yield node, "(a, b) in … is not portable; write exists (…)"
    for kinds, message in (
        ((exp.Any, exp.All), "any() and all() are not portable; write in (…) or exists (…)"),
        ((exp.JSONBExtract, exp.JSONBExtractScalar, exp.Bracket), _FLATTEN),
    ):
        for node in tree.find_all(*kinds):
            yield node, message


def _casts(tree: exp.Expression) -> Iterator[Message]:
    for node in tree.find_all(exp.Cast):
        to = node.to
        if to.is_type("decimal") and len(to.expressions) < 2:
            yield node, "decimal without digits is another type on each engine; write decimal(18, 2)"
        if to.is_type("float"):
            yield node, "float has another size on each engine; write double precision"
        if to.this in (exp.DataType.Type.TIMESTAMPTZ, exp.DataType.Type.TIMETZ):
            yield node, "moments are UTC without a zone; write timestamp"


def _queries(tree: exp.Expression) -> Iterator[Message]:
    for select in tree.find_all(exp.Select):
        if (distinct := select.args.get("distinct")) and distinct.args.get("on"):
            yield select, "distinct on is not portable; rank with row_number() and keep row 1"
        if qualify_ := select.args.get("qualify"):
            yield qualify_, "qualify is not portable; filter row_number() in the next CTE"
        if (group := select.args.get("group")) and group.args.get("all"):
            yield select, "group by all is not portable; name the columns"
        for join in select.args.get("joins") or []:
            if join.kind in ("ANTI", "SEMI") or join.method == "ASOF" or join.side in ("ANTI", "SEMI"):
                yield join, "write [not] exists (select 1 from … where …)"
            if join.method == "NATURAL":
                yield join, "name the columns of the join: using (…) or on …"
        for table in select.find_all(exp.Table):
            if table.alias.lower() in ("anti", "semi", "asof"):
                yield table, f"{table.alias} is read as an alias here; write [not] exists (…)"
    for node in tree.find_all(exp.With):
        if node.recursive:
            yield node, "recursive CTEs are not portable; write a fixed number of rounds"
    for kind, name in ((exp.Lateral, "lateral"), (exp.Pivot, "pivot"), (exp.TableSample, "tablesample")):
        for node in tree.find_all(kind):
            yield node, f"{name} is not portable; write a join and row_number()"


def _windows(tree: exp.Expression) -> Iterator[Message]:
    for window in tree.find_all(exp.Window):
        function = window.this
        if isinstance(function, exp.Filter):
            yield window, "filter (…) on a window is not portable; write case when inside the function"
        if isinstance(function, (exp.IgnoreNulls, exp.RespectNulls)):
            yield window, "ignore nulls is dropped without a word on PostgreSQL; filter the rows first"
        if isinstance(function, exp.RowNumber) and isinstance(window.parent, exp.Add | exp.Sub):
            yield window, "DuckDB 2.0.0 loses a row when row_number() - 1 is filtered; count from 1"
        if isinstance(function, exp.Count) and isinstance(function.this, exp.Distinct):
            yield window, "count(distinct …) over is not portable; count in a CTE with group by"
        if isinstance(function, _NEEDS_ORDER) and not window.args.get("order"):
            yield window, f"{function.sql_name().lower()}() needs an order by that leaves no ties"


def _temporal(tree: exp.Expression) -> Iterator[Message]:
    """Rules that need types: differences of moments, and numbers that would be rounded."""
    for node in tree.find_all(exp.Sub):
        if node.this.is_type(*exp.DataType.TEMPORAL_TYPES) and node.expression.is_type(
            *exp.DataType.TEMPORAL_TYPES
        ):
            yield node, "moments are not subtracted; write DAYS_BETWEEN or SECONDS_BETWEEN(start, end)"
    for node in tree.find_all(exp.Add, exp.Sub):
        if node.this.is_type("date") and not node.expression.is_type(*exp.DataType.TEMPORAL_TYPES):
            yield (
                node,
                "a date plus or minus something has another type on each engine; write ADD_DAYS(day, n)",
            )
    for node in tree.find_all(exp.Cast):
        whole = isinstance(node.this, exp.Floor | exp.Ceil | exp.Sum | exp.Extract)
        if node.to.this in _WHOLE and node.this.is_type("decimal", "double", "float") and not whole:
            yield node, "casting to a whole number rounds here and cuts off there; write floor(x) in the cast"


def _contract(model: Model) -> Iterator[str]:
    if not model.is_file:
        return
    is_items = model.layer == "triggers" and model.name.endswith("_items")
    wanted = ITEMS_CONTRACT if is_items else CONTRACTS.get(model.layer, ())
    missing = [column for column in wanted if column not in model.columns]
    if missing and not model.tree.is_star:
        yield f"a table of {model.layer} gives {', '.join(wanted)}; {', '.join(missing)} is missing"


def _stored_types(model: Model, schema: Schema) -> Iterator[Finding]:
    for column, type in schema[model.name].items():
        if not type.startswith(_STORED_TYPES) or type.startswith("DECIMAL(38"):
            reason = f"column {column} has type {type}, which differs between engines"
            yield Finding(model.path, 1, f"{reason}; cast it in the last SELECT")


def _qualify(model: Model, schema: Mapping[str, Mapping[str, str]]) -> exp.Expression:
    """The tree with every column resolved and typed; the portable functions become their types."""
    tree = model.tree.copy()
    nested: dict[str, dict[str, dict[str, str]]] = {}
    for table in model.depends_on:
        layer, name = table.split(".")
        nested.setdefault(layer, {})[name] = dict(schema[table])
    qualified = qualify(tree, schema=nested, dialect=PORTABLE, quote_identifiers=False, identify=False)
    for node in reversed(list(qualified.walk())):
        call = function_call(node)
        if call and node.parent:
            name, arguments = call
            node.replace(exp.cast(arguments[0].copy(), FUNCTIONS[name].type, dialect=PORTABLE))
    return annotate_types(qualified, schema=nested, dialect=PORTABLE)


def _unknown_column(model: Model, error: OptimizeError, schema: Mapping[str, Mapping[str, str]]) -> Finding:
    named = re.search(r"[Cc]olumn:? '?\"?(?:\w+\"?\.\"?)?(\w+)", str(error))
    if named is None:
        return Finding(model.path, 1, str(error))
    column = named[1]
    known = {name for table in model.depends_on for name in schema[table]}
    close = difflib.get_close_matches(column, sorted(known), n=3)
    hint = f"; did you mean {', '.join(close)}?" if close else ""
    lines = enumerate(re.sub(r"--[^\n]*", "", model.sql).splitlines(), 1)
    line = next((i for i, text in lines if re.search(rf"\b{column}\b", text)), 1)
    return Finding(model.path, line, f"unknown column {column}{hint}")


def main(arguments: list[str]) -> int:
    """`python -m kreislauf.warehouse.lint [folder]`: prints the findings; 1 if there are any."""
    findings = lint_all(Path(arguments[0] if arguments else "include/sql"))
    sys.stdout.writelines(f"{finding}\n" for finding in findings)
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
