"""The rules that tables are audited by: those that every table has, and those declared in YAML.

Every table: its grain is unique and not null, and it did not collapse against the published build.
Every table right of core: its `contact_id` is one of core.contacts. More in `expectations/*.yaml`:

    core.orders:
      - {check: not_null, columns: [created_at]}
      - {check: values, column: source, among: [shop, crm]}
      - {check: range, column: net_amount, min: 0}
      - {check: reference, column: contact_id, to: core.contacts}
      - {check: fresh, source: shop, within: 24 hours}                       on core.source_freshness
      - {check: breach, rule: refunded at most what was paid, where: refunded_amount > total_amount}
      - {check: rows, keep: 0.2}                                             instead of the default share
      - {check: person, column: contact_id}         instead of a contact: or a visitor nobody knows yet

`severity: warn` reports only; without it a broken rule keeps the build from being published.
"""

# ruff: file-ignore[hardcoded-sql-expression]: the rules are files of the repository, not input

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml

from kreislauf.warehouse.models import LAYERS, Model

EXPECTATIONS = Path(__file__).with_name("expectations")

KEEP_SHARE = 0.5
"""A table that holds less than this share of its published rows has collapsed."""

COLLAPSE_FROM_ROWS = 100
"""Below this many published rows a table may shrink as it likes."""


class ExpectationError(ValueError):
    """A YAML file of expectations is wrong; says which file, which table, and what is."""


@dataclass(frozen=True)
class Check:
    """One rule of one table.

    `count`: a portable scalar expression over the table `t`, the number of breaches. `sample`: a
    SELECT of the keys that break it. A check without SQL compares row counts; `keep` is its share.
    """

    table: str
    rule: str
    count: str | None = None
    sample: str | None = None
    keep: float | None = None
    severity: str = "error"

    @property
    def title(self) -> str:
        return f"{self.table}: {self.rule}"


def checks_for(models: Iterable[Model], as_of: datetime, folder: Path = EXPECTATIONS) -> list[Check]:
    """All checks of the models, in their order.

    Raises:
        ExpectationError: a declared check is of no known kind, or its keys or columns are wrong.
    """
    declared = load_expectations(folder)
    found = []
    for model in models:
        mine = [_declared(model, entry, as_of, path) for path, entry in declared.get(model.name, [])]
        defaults = list(_defaults(model))
        if any(check.keep is not None for check in mine):
            defaults = [check for check in defaults if check.keep is None]
        if any(entry.get("check") == "person" for _, entry in declared.get(model.name, [])):
            defaults = [check for check in defaults if check.rule != _IS_CONTACT]
        found += [*defaults, *mine]
    return found


def load_expectations(folder: Path = EXPECTATIONS) -> dict[str, list[tuple[Path, dict[str, Any]]]]:
    """Declared checks by table, each with the file it stands in."""
    found: dict[str, list[tuple[Path, dict[str, Any]]]] = {}
    for path in sorted(folder.glob("*.yaml")):
        try:
            content = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
        except yaml.YAMLError as error:
            raise ExpectationError(f"{path} is not YAML: {error}") from None
        for table, entries in content.items():
            if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
                raise ExpectationError(f"{path}: {table}: a list of checks is wanted, each {{check: …}}")
            found.setdefault(table, []).extend((path, entry) for entry in entries)
    return found


def _defaults(model: Model) -> Iterator[Check]:
    keys = ", ".join(model.grain)
    yield _row_check(
        model, f"{keys} is not null", " or ".join(f"t.{column} is null" for column in model.grain)
    )
    repeated = f"select {keys} from {model.name} group by {keys} having count(*) > 1"
    yield Check(
        model.name,
        f"{keys} is unique",
        count=f"(select count(*) from ({repeated}) as repeated)",
        sample=f"select {keys} from ({repeated}) as repeated order by {keys} limit 5",
    )
    marts = LAYERS.index(model.layer) > LAYERS.index("core")
    if marts and "contact_id" in model.columns:
        yield _reference(model, "contact_id", "core.contacts", "contact_id")
    yield Check(
        model.name, "rows did not collapse", keep=KEEP_SHARE, severity="warn" if marts else "error"
    )  # fmt: skip


def _declared(model: Model, entry: dict[str, Any], as_of: datetime, path: Path) -> Check:
    options = dict(entry)
    kind, severity = options.pop("check", None), options.pop("severity", "error")
    if kind not in _KINDS or severity not in ("error", "warn"):
        raise ExpectationError(
            f"{path}: {model.name}: check is one of {', '.join(_KINDS)}, severity is error or warn: {entry}"
        )
    named = [*options.get("columns", []), *([options["column"]] if "column" in options else [])]
    for column in named:
        if column not in model.columns:
            raise ExpectationError(
                f"{path}: {model.name} has no column {column}; it has {', '.join(model.columns)}"
            )
    if kind == "fresh":
        options["as_of"] = as_of
    try:
        check = _KINDS[kind](model, **options)
    except TypeError as error:
        raise ExpectationError(f"{path}: {model.name}: {kind}: {error}") from None
    return Check(**{**vars(check), "severity": severity})


def _row_check(model: Model, rule: str, breach: str) -> Check:
    keys = ", ".join(f"t.{column}" for column in model.grain)
    return Check(
        model.name,
        rule,
        count=f"(select count(*) from {model.name} as t where {breach})",
        sample=f"select {keys} from {model.name} as t where {breach} order by {keys} limit 5",
    )


def _not_null(model: Model, columns: list[str]) -> Check:
    return _row_check(
        model, f"{', '.join(columns)} is not null", " or ".join(f"t.{c} is null" for c in columns)
    )


def _values(model: Model, column: str, among: list[str]) -> Check:
    listed = ", ".join(_literal(value) for value in among)
    return _row_check(
        model, f"{column} is one of {', '.join(map(str, among))}", f"t.{column} not in ({listed})"
    )


def _range(model: Model, column: str, min: float | None = None, max: float | None = None) -> Check:
    bounds = [(min, "<", "at least"), (max, ">", "at most")]
    breach = " or ".join(f"t.{column} {sign} {bound}" for bound, sign, _ in bounds if bound is not None)
    rule = " and ".join(f"{word} {bound}" for bound, _, word in bounds if bound is not None)
    return _row_check(model, f"{column} is {rule}", breach)


def _reference(model: Model, column: str, to: str, to_column: str | None = None) -> Check:
    target = to_column or column
    return _row_check(
        model,
        f"{column} is in {to}",
        f"t.{column} is not null and not exists (select 1 from {to} as r where r.{target} = t.{column})",
    )


_IS_CONTACT = "contact_id is in core.contacts"


def _person(model: Model, column: str) -> Check:
    known = (("core.contacts", "contact_id"), ("core.visitors", "visitor_id"))
    nowhere = " and ".join(
        f"not exists (select 1 from {table} as r where r.{key} = t.{column})" for table, key in known
    )
    rule = f"{column} is in core.contacts or core.visitors"
    return _row_check(model, rule, f"t.{column} is not null and {nowhere}")


def _fresh(model: Model, source: str, within: str, as_of: datetime) -> Check:
    moment = as_of.astimezone(UTC).replace(tzinfo=None).isoformat(" ")
    return _row_check(
        model,
        f"{source} reaches to within {within}",
        f"t.source = {_literal(source)} and t.fresh_until < timestamp '{moment}' - interval '{within}'",
    )


def _breach(model: Model, rule: str, where: str) -> Check:
    return _row_check(model, rule, where)


def _rows(model: Model, keep: float) -> Check:
    return Check(model.name, "rows did not collapse", keep=keep)


_KINDS = {
    "not_null": _not_null,
    "values": _values,
    "range": _range,
    "reference": _reference,
    "person": _person,
    "fresh": _fresh,
    "breach": _breach,
    "rows": _rows,
}


def _literal(value: object) -> str:
    return "'" + str(value).replace("'", "''") + "'"
