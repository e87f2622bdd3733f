"""Reads and writes the CRM's records. Callers own the transaction.

The world seeds the CRM with `put`, `associate` and `merge`; the API writes through the same functions.
"""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from sandbox.crm.catalogue import KINDS, LIFECYCLE_STAGES, OWNERS

_COLUMNS_AS_PROPERTIES = {
    "hs_object_id",
    "createdate",
    "hs_createdate",
    "lastmodifieddate",
    "hs_lastmodifieddate",
}


def milliseconds(moment: datetime) -> int:
    """An aware moment as milliseconds since 1970."""
    if moment.tzinfo is None:
        raise ValueError(f"{moment!r} has no time zone; the sandbox takes aware moments only")
    return round(moment.timestamp() * 1000)


def iso(millis: int) -> str:
    """Milliseconds since 1970 as HubSpot writes moments: 2026-11-22T10:43:23.000Z."""
    return (
        datetime.fromtimestamp(millis / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    )


def parse_moment(given: Any) -> int:
    """Milliseconds since 1970 of a moment given as such or as ISO 8601 (no zone: UTC). Raises ValueError."""
    text = str(given)
    if re.fullmatch(r"-?[0-9]{1,14}", text):
        return int(text)
    moment = datetime.fromisoformat(text)
    return milliseconds(moment if moment.tzinfo else moment.replace(tzinfo=UTC))


def record_id(key: Any) -> int | None:
    """The id a client gave as text or number; None if it is none."""
    return int(key) if re.fullmatch(r"[0-9]{1,18}", str(key)) else None


def property_text(value: Any) -> str:
    """A property's value as HubSpot keeps it: always a string."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, datetime):
        return iso(milliseconds(value))
    return str(value)


def put(
    db: sqlite3.Connection,
    kind: str,
    id: int | str,
    properties: Mapping[str, Any],
    created_at: datetime,
    updated_at: datetime,
) -> None:
    """Store a record whole: a contact, company, deal, note, task or owner.

    `kind` is plural; `id` numeric. Values become strings; None and "" mean not set. An owner's
    properties are email, firstname, lastname. Raises ValueError for an unknown kind, a naive
    moment or a datetime property that is none, sqlite3.IntegrityError if another contact has the address.
    """
    if kind not in KINDS and kind != OWNERS:
        raise ValueError(f"{kind!r} is no kind of CRM record; known are {', '.join([*KINDS, OWNERS])}")
    _write(db, kind, int(id), properties, milliseconds(created_at), milliseconds(updated_at))


def create(db: sqlite3.Connection, kind: str, properties: Mapping[str, Any], now: int) -> int:
    """Store a new record and return its id."""
    last = db.execute("select id from crm_last_id where kind = ?", (kind,)).fetchone()
    new_id = (last["id"] if last else 0) + 1
    _write(db, kind, new_id, properties, now, now)
    return new_id


def update(
    db: sqlite3.Connection, kind: str, record: sqlite3.Row, changes: Mapping[str, Any], now: int
) -> None:
    """Change a record's properties; the empty string clears one.

    HubSpot moves a lifecycle stage forwards only: a step back is ignored unless the stage was
    cleared in an earlier write.
    """
    properties = stored_properties(record)
    changes = dict(changes)
    if "lifecyclestage" in changes and _is_step_back(
        properties.get("lifecyclestage"), changes["lifecyclestage"]
    ):
        del changes["lifecyclestage"]
    _write(db, kind, record["id"], properties | changes, record["created_at"], now)


def archive(db: sqlite3.Connection, kind: str, ids: Iterable[int], now: int) -> None:
    """Put records into the recycling bin; those already there or unknown are left alone."""
    db.executemany(
        "update crm_object set archived_at = ?, updated_at = ?"
        " where kind = ? and id = ? and archived_at is null",
        [(now, now, kind, one_id) for one_id in ids],
    )


def purge(db: sqlite3.Connection, kind: str, one_id: int) -> None:
    """Delete a record and its associations for good."""
    db.execute("delete from crm_object where kind = ? and id = ?", (kind, one_id))
    _drop_associations(db, kind, one_id)


def find(db: sqlite3.Connection, kind: str, one_id: int) -> sqlite3.Row | None:
    """A record by id, archived or not. The id of a merged record finds the one it was merged into."""
    merged = db.execute(
        "select winner from crm_merge where kind = ? and loser = ?", (kind, one_id)
    ).fetchone()
    wanted = merged["winner"] if merged else one_id
    return db.execute("select * from crm_object where kind = ? and id = ?", (kind, wanted)).fetchone()


def find_by_email(db: sqlite3.Connection, address: str) -> sqlite3.Row | None:
    """The living contact with this primary or additional address, compared without regard to case."""
    address = address.strip().lower()
    primary = db.execute(
        "select * from crm_object where kind = 'contacts' and archived_at is null and email = ?", (address,)
    ).fetchone()
    if primary:
        return primary
    return db.execute(
        "select * from crm_object where kind = 'contacts' and archived_at is null"
        " and instr(';' || json_extract(properties, '$.hs_additional_emails') || ';', ';' || ? || ';') > 0",
        (address,),
    ).fetchone()


def associate(
    db: sqlite3.Connection,
    kind: str,
    id: int | str,
    to_kind: str,
    to_id: int | str,
) -> None:
    """Associate two records, in both directions; doing it twice changes nothing."""
    db.executemany(
        "insert or ignore into crm_association values (?, ?, ?, ?)",
        [(kind, int(id), to_kind, int(to_id)), (to_kind, int(to_id), kind, int(id))],
    )


def dissociate(db: sqlite3.Connection, kind: str, one_id: int, to_kind: str, to_id: int) -> None:
    """Take an association back, in both directions."""
    db.executemany(
        "delete from crm_association where from_kind = ? and from_id = ? and to_kind = ? and to_id = ?",
        [(kind, one_id, to_kind, to_id), (to_kind, to_id, kind, one_id)],
    )


def associated_ids(
    db: sqlite3.Connection, kind: str, ids: Iterable[int], to_kind: str
) -> dict[int, list[int]]:
    """The living records of `to_kind` each record is associated with, by id."""
    found: dict[int, list[int]] = {}
    rows = db.execute(
        "select a.from_id, a.to_id from crm_association a"
        " join crm_object o on o.kind = a.to_kind and o.id = a.to_id and o.archived_at is null"
        " where a.from_kind = ? and a.to_kind = ? and a.from_id in (select value from json_each(?))"
        " order by a.from_id, a.to_id",
        (kind, to_kind, json.dumps(list(ids))),
    )
    for row in rows:
        found.setdefault(row["from_id"], []).append(row["to_id"])
    return found


def merge(
    db: sqlite3.Connection,
    winner: int | str,
    loser: int | str,
    at: datetime | None = None,
    kind: str = "contacts",
) -> None:
    """Merge one record into another, as HubSpot does.

    The winner keeps its values and takes the loser's where it has none, the further lifecycle
    stage, the older creation date and all associations. The loser's id goes to
    hs_merged_object_ids, its addresses to hs_additional_emails. `at` is the moment of the merge;
    without it the later of the two last modifications. Raises LookupError if one is not there.
    """
    kept, lost = (_living(db, kind, int(one_id)) for one_id in (winner, loser))
    if kept["id"] == lost["id"]:
        raise LookupError(f"{kind} {winner} and {loser} are the same record")
    kept_values, lost_values = stored_properties(kept), stored_properties(lost)
    merged = lost_values | {name: value for name, value in kept_values.items() if value != ""}
    if _is_step_back(lost_values.get("lifecyclestage"), merged.get("lifecyclestage")):
        merged["lifecyclestage"] = lost_values["lifecyclestage"]
    merged["hs_merged_object_ids"] = _joined(
        kept_values.get("hs_merged_object_ids"), lost_values.get("hs_merged_object_ids"), str(lost["id"])
    )
    if kind == "contacts":
        addresses = _joined(
            kept_values.get("hs_additional_emails"), lost_values.get("hs_additional_emails"), lost["email"]
        )
        merged["hs_additional_emails"] = ";".join(
            address for address in addresses.split(";") if address and address != merged.get("email")
        )

    for row in db.execute(
        "select to_kind, to_id from crm_association where from_kind = ? and from_id = ?", (kind, lost["id"])
    ).fetchall():
        associate(db, kind, kept["id"], row["to_kind"], row["to_id"])
    purge(db, kind, lost["id"])
    db.execute(
        "update crm_merge set winner = ? where kind = ? and winner = ?", (kept["id"], kind, lost["id"])
    )
    db.execute("insert into crm_merge values (?, ?, ?)", (kind, lost["id"], kept["id"]))
    moment = milliseconds(at) if at else max(kept["updated_at"], lost["updated_at"])
    _write(db, kind, kept["id"], merged, min(kept["created_at"], lost["created_at"]), moment)


def stored_properties(record: sqlite3.Row) -> dict[str, str]:
    """A record's properties, the contact's address included, HubSpot's timestamps and id not."""
    properties = json.loads(record["properties"])
    if record["email"] is not None:
        properties["email"] = record["email"]
    return properties


def _write(
    db: sqlite3.Connection,
    kind: str,
    one_id: int,
    properties: Mapping[str, Any],
    created: int,
    updated: int,
) -> None:
    types = KINDS[kind].properties if kind in KINDS else {}
    values = {
        name: iso(parse_moment(value)) if types.get(name) == "datetime" else property_text(value)
        for name, value in properties.items()
        if value is not None and value != "" and name not in _COLUMNS_AS_PROPERTIES
    }
    email = None
    if kind == "contacts" and "email" in values:
        email = values.pop("email").strip().lower()
    db.execute(
        "insert into crm_object (kind, id, properties, email, created_at, updated_at)"
        " values (?, ?, ?, ?, ?, ?)"
        " on conflict (kind, id) do update set properties = excluded.properties, email = excluded.email,"
        " created_at = excluded.created_at, updated_at = excluded.updated_at",
        (kind, one_id, json.dumps(values, ensure_ascii=False), email, created, updated),
    )
    db.execute(
        "insert into crm_last_id values (?, ?) on conflict (kind) do update set id = max(id, excluded.id)",
        (kind, one_id),
    )


def _living(db: sqlite3.Connection, kind: str, one_id: int) -> sqlite3.Row:
    record = find(db, kind, one_id)
    if record is None or record["archived_at"] is not None:
        raise LookupError(f"there is no {kind} record {one_id} to merge")
    return record


def _drop_associations(db: sqlite3.Connection, kind: str, one_id: int) -> None:
    db.execute(
        "delete from crm_association where (from_kind = ? and from_id = ?) or (to_kind = ? and to_id = ?)",
        (kind, one_id, kind, one_id),
    )


def _is_step_back(current: str | None, wanted: str | None) -> bool:
    if current not in LIFECYCLE_STAGES or wanted not in LIFECYCLE_STAGES:
        return False
    return LIFECYCLE_STAGES.index(wanted) < LIFECYCLE_STAGES.index(current)


def _joined(*lists: str | None) -> str:
    """Lists joined with ";", each value once, in order."""
    return ";".join(dict.fromkeys(value for text in lists if text for value in text.split(";") if value))
