"""One person under several contact ids.

Messages and decisions keep the contact_id of their day. When a record joins an older one, the person goes on
under the other's id; who is who today is told by each build, for those the ledger knows under another id.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, Table, delete, func, insert, select, union

from kreislauf.ledger.schema import merged_contact, message


def remember(connection: Connection, merged: Mapping[str, str]) -> None:
    """Take over today's contact id by each other id of a person; what is not named is itself."""
    known = connection.execute(select(merged_contact.c.record_id, merged_contact.c.contact_id))
    if dict(known.tuples().all()) == merged:
        return
    connection.execute(delete(merged_contact))
    if merged:
        rows = [{"record_id": record, "contact_id": contact} for record, contact in merged.items()]
        connection.execute(insert(merged_contact), rows)


def with_person(source: Table) -> tuple[Any, ColumnElement[str]]:
    """SQL: a table with contact_id to select from, and the person of each row by today's id."""
    today = merged_contact.alias()
    joined = source.outerjoin(today, today.c.record_id == source.c.contact_id)
    return joined, func.coalesce(today.c.contact_id, source.c.contact_id)


def ids_of_people_in(batch_id: str) -> Select[Any]:
    """SQL: all contact ids, today's and earlier ones, of the people of a batch."""
    joined, person = with_person(message)
    people = select(person.label("contact_id")).select_from(joined).where(message.c.batch_id == batch_id)
    people = people.cte("people")
    earlier = select(merged_contact.c.record_id).join(
        people, people.c.contact_id == merged_contact.c.contact_id
    )
    return select(union(select(people.c.contact_id), earlier).subquery().c.contact_id)
