"""The search endpoint: HubSpot's filter groups and sorts as one SQL query.

Rules of HubSpot's search: groups are joined by OR, filters of a group by AND; at most 5 groups of
6 filters, 18 in all; one sort; 200 records a page; nothing beyond the 10,000th result.
"""

from __future__ import annotations

import sqlite3
from typing import Any

from sandbox.crm.catalogue import Kind
from sandbox.crm.errors import CrmError, invalid, objects_in
from sandbox.crm.store import iso, parse_moment, record_id

MAX_RESULTS = 10_000
MAX_PAGE = 200
MAX_GROUPS = 5
MAX_FILTERS_IN_GROUP = 6
MAX_FILTERS = 18

_COMPARISONS = {"EQ": "=", "NEQ": "<>", "LT": "<", "LTE": "<=", "GT": ">", "GTE": ">="}
_FREE_TEXT = {
    "contacts": ("email", "firstname", "lastname", "phone", "company", "hs_additional_emails"),
    "companies": ("name", "domain", "phone", "website"),
    "deals": ("dealname", "description"),
    "notes": ("hs_note_body",),
    "tasks": ("hs_task_subject", "hs_task_body"),
    "tickets": ("subject", "content"),
}


def search(
    db: sqlite3.Connection, kind: Kind, types: dict[str, str], query: dict[str, Any]
) -> tuple[int, list[sqlite3.Row], int | None]:
    """Run a search. Returns the total, one page of records and where the next page begins, if there is one.

    `types`: the object type's properties with their types. Raises CrmError (400) for what HubSpot refuses.
    """
    limit = _whole(query.get("limit", 10), "limit")
    after = _whole(query.get("after") or 0, "after")
    if not 1 <= limit <= MAX_PAGE:
        raise invalid(f"limit must be between 1 and {MAX_PAGE}, it is {limit}")
    if after + limit > MAX_RESULTS:
        raise _refused(f"a search gives at most {MAX_RESULTS} results, asked for those after {after}")

    where, values = _condition(kind, types, query)
    order = _order(kind, types, query["sorts"] if isinstance(query.get("sorts"), list) else [])
    where = f"kind = ? and archived_at is null and ({where})"
    values = [kind.plural, *values]
    total = db.execute(f"select count(*) from crm_object where {where}", values).fetchone()[0]  # ruff: ignore[hardcoded-sql-expression]
    rows = db.execute(
        f"select * from crm_object where {where} order by {order} limit ? offset ?",  # ruff: ignore[hardcoded-sql-expression]
        [*values, limit, after],
    ).fetchall()
    following = after + len(rows)
    return total, rows, following if following < total else None


def _condition(kind: Kind, types: dict[str, str], query: dict[str, Any]) -> tuple[str, list[Any]]:
    groups = [objects_in(group, "filters") for group in objects_in(query, "filterGroups")]
    # HubSpot also takes a bare list of filters, meaning one group.
    if bare := objects_in(query, "filters"):
        groups.append(bare)
    if len(groups) > MAX_GROUPS:
        raise _refused(f"at most {MAX_GROUPS} filterGroups are allowed, got {len(groups)}")
    if sum(map(len, groups)) > MAX_FILTERS:
        raise _refused(f"at most {MAX_FILTERS} filters are allowed in all")

    alternatives, values = [], []
    for filters in groups:
        if len(filters) > MAX_FILTERS_IN_GROUP:
            raise _refused(
                f"at most {MAX_FILTERS_IN_GROUP} filters are allowed in a group, got {len(filters)}"
            )
        parts = []
        for one in filters:
            part, more = _filter(kind, types, one)
            parts.append(part)
            values += more
        alternatives.append(" and ".join(parts) or "true")
    condition = " or ".join(f"({alternative})" for alternative in alternatives) or "true"

    if text := query.get("query"):
        columns = [_expression(kind, types, name) for name in _FREE_TEXT[kind.plural]]
        condition = f"({condition}) and ({' or '.join(f'{column} like ?' for column in columns)})"
        values += [f"%{text}%"] * len(columns)
    return condition, values


def _filter(kind: Kind, types: dict[str, str], one: dict[str, Any]) -> tuple[str, list[Any]]:
    name, operator = one.get("propertyName"), one.get("operator")
    if not isinstance(name, str) or name not in types:
        raise _refused(f"there is no property {name!r} on {kind.plural}")
    column = _expression(kind, types, name)

    def value_of(key: str) -> Any:
        if one.get(key) is None:
            raise _refused(f"operator {operator} on {name} needs {key!r}")
        return _value(kind, types, name, one[key])

    if not isinstance(operator, str):
        raise _refused(f"operator {operator!r} is not known")
    if operator in _COMPARISONS:
        return f"{column} {_COMPARISONS[operator]} ? collate nocase", [value_of("value")]
    if operator == "BETWEEN":
        return f"{column} between ? and ?", [value_of("value"), value_of("highValue")]
    if operator in {"IN", "NOT_IN"}:
        given = one.get("values") if isinstance(one.get("values"), list) else []
        listed = [_value(kind, types, name, value) for value in given]
        if not listed:
            raise _refused(f"operator {operator} on {name} needs 'values'")
        word = "in" if operator == "IN" else "not in"
        return f"{column} collate nocase {word} ({', '.join('?' * len(listed))})", listed
    if operator == "HAS_PROPERTY":
        return f"{column} is not null", []
    if operator == "NOT_HAS_PROPERTY":
        return f"{column} is null", []
    if operator in {"CONTAINS_TOKEN", "NOT_CONTAINS_TOKEN"}:
        word = "like" if operator == "CONTAINS_TOKEN" else "not like"
        return f"{column} {word} ?", [f"%{str(value_of('value')).strip('*').replace('*', '%')}%"]
    raise _refused(f"operator {operator!r} is not known")


def _order(kind: Kind, types: dict[str, str], sorts: list[Any]) -> str:
    if len(sorts) > 1:
        raise _refused(f"only one sort is allowed, got {len(sorts)}")
    if not sorts:
        return "created_at, id"
    sort = sorts[0] if isinstance(sorts[0], (str, dict)) else {}
    if isinstance(sort, str):
        sort = {
            "propertyName": sort.removeprefix("-"),
            "direction": "DESCENDING" if sort[:1] == "-" else "ASCENDING",
        }
    name = sort.get("propertyName")
    if not isinstance(name, str) or name not in types:
        raise _refused(f"there is no property {name!r} on {kind.plural} to sort by")
    direction = "desc" if sort.get("direction") == "DESCENDING" else "asc"
    return f"{_expression(kind, types, name)} {direction}, id {direction}"


def _expression(kind: Kind, types: dict[str, str], name: str) -> str:
    """The SQL for a property. `name` is one of `types`, so it holds no SQL of the caller's."""
    if name == "hs_object_id":
        return "id"
    if name == kind.created:
        return "created_at"
    if name == kind.modified:
        return "updated_at"
    if name == "email" and kind.plural == "contacts":
        return "email"
    extracted = f"""json_extract(properties, '$."{name}"')"""
    return f"cast({extracted} as real)" if types[name] == "number" else extracted


def _value(kind: Kind, types: dict[str, str], name: str, given: Any) -> Any:
    """A filter's value as the property's SQL compares it. Moments come as milliseconds or ISO 8601."""
    if types[name] == "number":
        try:
            return float(given)
        except (TypeError, ValueError):
            raise _refused(f"{name} is a number, {given!r} is not") from None
    if types[name] == "datetime":
        try:
            millis = parse_moment(given)
        except ValueError:
            raise _refused(f"{name} is a moment, {given!r} is not") from None
        return millis if name in {kind.created, kind.modified} else iso(millis)
    return str(given)


def _whole(given: Any, name: str) -> int:
    number = record_id(given)
    if number is None:
        raise invalid(f"{name} must be a whole number, it is {given!r}")
    return number


def _refused(detail: str) -> CrmError:
    """HubSpot's sentence, which says nothing, and beside it what is wrong."""
    return invalid("There was a problem with the request.", errors=[{"message": detail}])
