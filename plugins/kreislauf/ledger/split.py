"""Taking messages out of a batch whose fate they do not share."""

from __future__ import annotations

import secrets
from collections.abc import Collection
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, insert, select, update

from kreislauf.ledger.schema import BatchState, batch, message


def split(
    connection: Connection,
    batch_id: str,
    keys: Collection[str],
    state: BatchState,
    now: datetime,
    **changed: Any,
) -> None:
    """Move messages into a batch of their own, in `state`; `changed` columns differ from the old one's."""
    columns = [column for column in batch.c if column.name not in {"id", "size", "state", "updated_at"}]
    source = connection.execute(select(*columns).where(batch.c.id == batch_id)).mappings().one()
    values = {**source, "id": secrets.token_hex(16), "size": len(keys), "state": state.value}
    values |= {"updated_at": now, **changed}
    connection.execute(insert(batch).values(values))
    moved = update(message).where(message.c.message_key.in_(keys))
    connection.execute(moved.values(batch_id=values["id"], updated_at=now))
    size = {"size": batch.c.size - len(keys), "updated_at": now}
    connection.execute(update(batch).where(batch.c.id == batch_id).values(size))
