"""What the CRM's endpoints do, without HTTP: each function takes a connection inside a transaction."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterable, Mapping
from typing import Any

from sandbox.crm import store
from sandbox.crm.catalogue import ASSOCIATION_TYPE_IDS, KINDS, OWNERS, Kind
from sandbox.crm.errors import CrmError, invalid, invalid_properties, not_found, object_in, objects_in

MAX_PAGE = 100
MAX_BATCH = 100
MAX_OWNERS_PAGE = 500

_ADDRESS = re.compile(r"[^@\s<>\"(),:;\\]+@(?:[a-z0-9-]+\.)+[a-z]{2,}", re.IGNORECASE)
_READ_ONLY = {"hs_object_id", "createdate", "hs_createdate", "lastmodifieddate", "hs_lastmodifieddate"}


def property_types(db: sqlite3.Connection, kind: Kind) -> dict[str, str]:
    """The properties of an object type, HubSpot's and the account's own, with their types."""
    own = db.execute("select name, type from crm_property where kind = ?", (kind.plural,))
    return kind.properties | {row["name"]: row["type"] for row in own}


def shown(record: sqlite3.Row, kind: Kind, wanted: Iterable[str] = ()) -> dict[str, Any]:
    """A record as the API shows it; properties that are asked for and not set are null."""
    values = store.stored_properties(record) | {
        "hs_object_id": str(record["id"]),
        kind.created: store.iso(record["created_at"]),
        kind.modified: store.iso(record["updated_at"]),
    }
    always = (kind.created, "hs_object_id", kind.modified)
    names = dict.fromkeys([*wanted, *always] if wanted else kind.shown)
    body: dict[str, Any] = {
        "id": str(record["id"]),
        "properties": {name: values.get(name) for name in sorted(names)},
        "createdAt": store.iso(record["created_at"]),
        "updatedAt": store.iso(record["updated_at"]),
        "archived": record["archived_at"] is not None,
    }
    if record["archived_at"] is not None:
        body["archivedAt"] = store.iso(record["archived_at"])
    return body


def page(
    db: sqlite3.Connection,
    kind: Kind,
    *,
    limit: int,
    after: int,
    properties: list[str],
    associations: list[Kind],
    archived: bool,
) -> tuple[list[dict[str, Any]], int | None]:
    """One page of all records by id, and the `after` of the next page if there is one."""
    state = "is not null" if archived else "is null"
    rows = db.execute(
        f"select * from crm_object where kind = ? and id > ? and archived_at {state} order by id limit ?",  # ruff: ignore[hardcoded-sql-expression]
        (kind.plural, after, limit + 1),
    ).fetchall()
    results = [shown(row, kind, properties) for row in rows[:limit]]
    add_associations(db, kind, results, associations)
    return results, rows[limit - 1]["id"] if len(rows) > limit else None


def add_associations(
    db: sqlite3.Connection, kind: Kind, results: list[dict[str, Any]], to: list[Kind]
) -> None:
    """Put the ids of associated records into shown records, which HubSpot leaves out where there are none."""
    for target in to:
        found = store.associated_ids(
            db, kind.plural, [int(result["id"]) for result in results], target.plural
        )
        for result in results:
            if ids := found.get(int(result["id"])):
                word = f"{kind.singular}_to_{target.singular}"
                listed = [{"id": str(record_id), "type": word} for record_id in ids]
                result.setdefault("associations", {})[target.plural] = {"results": listed}


def get(
    db: sqlite3.Connection, kind: Kind, key: str, id_property: str | None, archived: bool = False
) -> sqlite3.Row:
    """The record with this id, or this address with `idProperty=email`. Raises CrmError 404."""
    record = _lookup(db, kind, key, id_property)
    if record is None or (record["archived_at"] is not None) != archived:
        raise not_found(f"Object not found.  objectId are usually numeric. [{kind.singular}={_quiet(key)}]")
    return record


def create(db: sqlite3.Connection, kind: Kind, given: Mapping[str, Any], now: int) -> sqlite3.Row:
    """Create a record with its associations. Raises CrmError 400 or, for an address already there, 409."""
    properties = _checked(db, kind, object_in(given, "properties"))
    if missing := [name for name in kind.required if not properties.get(name)]:
        raise invalid(
            f"Error creating {kind.singular.upper()}. Some required properties were not set.",
            errors=[{"message": f"{name} was not set", "code": "REQUIRED_FIELD"} for name in missing],
            context={"properties": missing},
        )
    _refuse_taken_address(db, kind, properties, own_id=None)
    record_id = store.create(db, kind.plural, {n: v for n, v in properties.items() if v != ""}, now)
    for association in objects_in(given, "associations"):
        _associate_by_type(db, kind, record_id, association)
    return store.find(db, kind.plural, record_id)


def update(
    db: sqlite3.Connection, kind: Kind, record: sqlite3.Row, given: Mapping[str, Any], now: int
) -> sqlite3.Row:
    """Change a record's properties. Raises CrmError 400 or 409."""
    properties = _checked(db, kind, object_in(given, "properties"))
    _refuse_taken_address(db, kind, properties, own_id=record["id"])
    store.update(db, kind.plural, record, properties, now)
    return store.find(db, kind.plural, record["id"])


def upsert(
    db: sqlite3.Connection, kind: Kind, given: Mapping[str, Any], now: int
) -> tuple[sqlite3.Row, bool]:
    """Update the record that `id` and `idProperty` name, or create it. Returns it and whether it is new."""
    id_property, key = given.get("idProperty"), str(given.get("id", ""))
    existing = _lookup(db, kind, key, id_property)
    if existing is not None and existing["archived_at"] is None:
        return update(db, kind, existing, given, now), False
    if _is_id(id_property):
        raise not_found(f"No {kind.singular} has the id {key}")
    properties = {id_property: key} | dict(object_in(given, "properties"))
    return create(db, kind, {"properties": properties}, now), True


def read_many(
    db: sqlite3.Connection, kind: Kind, keys: list[str], id_property: str | None
) -> tuple[list[sqlite3.Row], list[str]]:
    """The living records among `keys`, each once, and the keys that have none."""
    found: dict[int, sqlite3.Row] = {}
    missing = []
    for key in dict.fromkeys(keys):
        record = _lookup(db, kind, key, id_property)
        if record is None or record["archived_at"] is not None:
            missing.append(key)
        else:
            found[record["id"]] = record
    return list(found.values()), missing


def associate(db: sqlite3.Connection, kind: Kind, key: str, to: Kind, to_key: str) -> dict[str, Any]:
    """Associate two records by HubSpot's default type; returns the association as the API shows it."""
    record, target = get(db, kind, key, None), get(db, to, to_key, None)
    type_id = _type_id(kind, to)
    store.associate(db, kind.plural, record["id"], to.plural, target["id"])
    return {
        "from": {"id": str(record["id"])},
        "to": {"id": str(target["id"])},
        "associationSpec": {"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": type_id},
    }


def associations(
    db: sqlite3.Connection, kind: Kind, ids: list[int], to: Kind
) -> dict[int, list[dict[str, Any]]]:
    """The associations of each record to records of one type, as the API shows them."""
    types = [{"category": "HUBSPOT_DEFINED", "typeId": _type_id(kind, to), "label": None}]
    return {
        record_id: [{"toObjectId": str(target), "associationTypes": types} for target in targets]
        for record_id, targets in store.associated_ids(db, kind.plural, ids, to.plural).items()
    }


def owners(
    db: sqlite3.Connection, *, limit: int, after: int, address: str | None, archived: bool
) -> tuple[list[dict[str, Any]], int | None]:
    """One page of owners by id, and the `after` of the next page if there is one."""
    state = "is not null" if archived else "is null"
    rows = db.execute(
        f"select * from crm_object where kind = ? and id > ? and archived_at {state}"  # ruff: ignore[hardcoded-sql-expression]
        " and (? is null or json_extract(properties, '$.email') = ? collate nocase) order by id limit ?",
        (OWNERS, after, address, address, limit + 1),
    ).fetchall()
    return [_shown_owner(row) for row in rows[:limit]], rows[limit - 1]["id"] if len(rows) > limit else None


def owner(db: sqlite3.Connection, key: str) -> dict[str, Any]:
    """One owner by id. Raises CrmError 404."""
    owner_id = store.record_id(key)
    record = None if owner_id is None else store.find(db, OWNERS, owner_id)
    if record is None:
        raise not_found(f"No owner has the id {_quiet(key)}")
    return _shown_owner(record)


def add_property(db: sqlite3.Connection, kind: Kind, given: Mapping[str, Any]) -> dict[str, Any]:
    """Add a property of the account's own. Raises CrmError 400, or 409 if the name is taken."""
    name, type_name = str(given.get("name", "")), given.get("type")
    if not re.fullmatch(r"[a-z][a-z0-9_]{0,99}", name):
        raise invalid(f"{name!r} is no property name: lower case letters, digits and underscores")
    if type_name not in {"string", "number", "datetime", "date", "enumeration", "bool"}:
        raise invalid(f"property {name} has the unknown type {type_name!r}")
    if name in property_types(db, kind):
        raise CrmError(409, f"Property named {name} already exists.", "CONFLICT")
    row = (kind.plural, name, given.get("label") or name, type_name, given.get("fieldType") or "text")
    db.execute("insert into crm_property values (?, ?, ?, ?, ?)", row)
    return shown_property(db, kind, name)


def shown_property(db: sqlite3.Connection, kind: Kind, name: str) -> dict[str, Any]:
    """A property's definition. Raises CrmError 404."""
    types = property_types(db, kind)
    if name not in types:
        raise not_found(f"Property {name!r} does not exist on {kind.plural}")
    own = db.execute("select * from crm_property where kind = ? and name = ?", (kind.plural, name)).fetchone()
    return {
        "name": name,
        "label": own["label"] if own else name,
        "type": types[name],
        "fieldType": own["field_type"] if own else "text",
        "hubspotDefined": own is None,
        "archived": False,
    }


def batch_inputs(body: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The inputs of a batch request. Raises CrmError 400 if there are none or too many."""
    inputs = objects_in(body, "inputs")
    if not inputs:
        raise invalid("Invalid input JSON: some required fields were not set: [inputs]")
    if len(inputs) > MAX_BATCH:
        raise invalid(
            f"The maximum number of inputs supported in a batch request is {MAX_BATCH}, got {len(inputs)}."
            " Please reduce the number of items and try again"
        )
    return inputs


def _lookup(db: sqlite3.Connection, kind: Kind, key: str, id_property: str | None) -> sqlite3.Row | None:
    if _is_id(id_property):
        record_id = store.record_id(key)
        return None if record_id is None else store.find(db, kind.plural, record_id)
    if id_property == "email" and kind.plural == "contacts":
        return store.find_by_email(db, key)
    raise invalid(f"Property {id_property!r} is not a unique property of {kind.plural}")


def _checked(db: sqlite3.Connection, kind: Kind, properties: Mapping[str, Any]) -> dict[str, str]:
    """Property values as HubSpot keeps them. Raises CrmError 400 that names every one it refuses."""
    types = property_types(db, kind)
    values, problems = {}, []

    def refuse(name: str, error: str, message: str) -> None:
        problems.append({"name": name, "error": error, "message": message})

    for name, value in properties.items():
        text = "" if value is None else store.property_text(value).strip()
        if name not in types:
            refuse(name, "PROPERTY_DOESNT_EXIST", f'Property "{name}" does not exist')
        elif name in _READ_ONLY:
            refuse(name, "READ_ONLY_VALUE", f'"{name}" is a read only property; its value cannot be set.')
        elif name == "email" and text and not _ADDRESS.fullmatch(text):
            refuse(name, "INVALID_EMAIL", f"Email address {text} is invalid")
        elif text and types[name] == "number" and not re.fullmatch(r"-?\d+(\.\d+)?([eE][+-]?\d+)?", text):
            refuse(name, "INVALID_NUMBER", f"{text} was not a valid number.")
        elif text and types[name] == "datetime" and not _is_moment(text):
            refuse(name, "INVALID_DATE", f"{text} was not a valid date.")
        elif text and types[name] == "bool" and text not in {"true", "false"}:
            refuse(name, "INVALID_OPTION", f"{text} was not one of the allowed options: [true, false]")
        else:
            values[name] = text.lower() if name == "email" else text
    if problems:
        raise invalid_properties(kind.singular, problems)
    return values


def _is_moment(text: str) -> bool:
    try:
        store.parse_moment(text)
    except ValueError:
        return False
    return True


def _refuse_taken_address(
    db: sqlite3.Connection, kind: Kind, properties: Mapping[str, str], own_id: int | None
) -> None:
    if kind.plural != "contacts" or not properties.get("email"):
        return
    other = store.find_by_email(db, properties["email"])
    if other is not None and other["id"] != own_id:
        raise CrmError(409, f"Contact already exists. Existing ID: {other['id']}", "CONFLICT")


def _associate_by_type(db: sqlite3.Connection, kind: Kind, record_id: int, given: Mapping[str, Any]) -> None:
    type_ids = {str(one.get("associationTypeId")) for one in objects_in(given, "types")}
    for (from_kind, to_kind), type_id in ASSOCIATION_TYPE_IDS.items():
        if from_kind == kind.plural and str(type_id) in type_ids:
            target = get(db, KINDS[to_kind], str(object_in(given, "to").get("id")), None)
            store.associate(db, kind.plural, record_id, to_kind, target["id"])
            return
    raise invalid(f"No association type of {kind.plural} has one of the ids {sorted(type_ids)}")


def _type_id(kind: Kind, to: Kind) -> int:
    try:
        return ASSOCIATION_TYPE_IDS[kind.plural, to.plural]
    except KeyError:
        raise invalid(f"{kind.plural} cannot be associated with {to.plural}") from None


def _shown_owner(record: sqlite3.Row) -> dict[str, Any]:
    values = store.stored_properties(record)
    user_id = int(values.get("userid", record["id"]))
    return {
        "id": str(record["id"]),
        "email": values.get("email"),
        "type": "PERSON",
        "firstName": values.get("firstname"),
        "lastName": values.get("lastname"),
        "userId": user_id,
        "userIdIncludingInactive": user_id,
        "createdAt": store.iso(record["created_at"]),
        "updatedAt": store.iso(record["updated_at"]),
        "archived": record["archived_at"] is not None,
    }


def _quiet(key: str) -> str:
    """A key for an error message: addresses are not repeated."""
    return key if store.record_id(key) is not None else "…"


def _is_id(id_property: Any) -> bool:
    return id_property is None or id_property == "hs_object_id"
