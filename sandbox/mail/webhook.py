"""The signed event webhook: events go out in batches, some late, some twice, and again if refused.

Signature: ECDSA P-256 with SHA-256 over timestamp and body, as SendGrid signs.
"""

from __future__ import annotations

import base64
import sqlite3
import time
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

SIGNATURE_HEADER = "X-Twilio-Email-Event-Webhook-Signature"
TIMESTAMP_HEADER = "X-Twilio-Email-Event-Webhook-Timestamp"
MAX_EVENTS = 500
MAX_BYTES = 768_000

_KEY = "webhook_private_key"
_PAUSES = (0.2, 0.5)  # seconds between the tries of one call


def public_key(db: sqlite3.Connection) -> str:
    """The key to verify with, base64 DER as SendGrid shows it; made at the first call (which writes)."""
    der = _private_key(db).public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return base64.b64encode(der).decode()


def deliver_due(db: sqlite3.Connection, url: str, until: datetime) -> dict[str, int]:
    """Post to `url` every event that is due by `until` and not yet posted.

    Commits after each batch the receiver took (2xx), so call it outside a transaction: what was
    posted when the process is killed is at worst posted again. A batch that is refused a few times
    ends the call and is tried first the next time. Returns counts: batches, events, duplicates
    (events that had been posted before), refused (tries), pending (due but not taken).
    """
    import httpx

    key = _private_key(db)
    db.commit()
    counts = dict.fromkeys(("batches", "events", "duplicates", "refused", "pending"), 0)
    with httpx.Client(timeout=30) as client:
        for batch in _batches(db, int(until.timestamp())):
            tries, taken = _post(client, key, url, batch)
            counts["refused"] += tries - taken
            if not taken:
                break
            db.executemany(
                "update mail_posting set posted = 1 where sg_event_id = ? and copy = ?",
                [(row["sg_event_id"], row["copy"]) for row in batch],
            )
            db.commit()
            counts["batches"] += 1
            counts["events"] += len(batch)
            counts["duplicates"] += sum(row["copy"] > 0 for row in batch)
    counts["pending"] = db.execute(
        "select count(*) from mail_posting where posted = 0 and post_at <= ?", (int(until.timestamp()),)
    ).fetchone()[0]
    return counts


def sign(key: ec.EllipticCurvePrivateKey, timestamp: str, body: bytes) -> str:
    """The signature of a post, base64."""
    return base64.b64encode(key.sign(timestamp.encode() + body, ec.ECDSA(hashes.SHA256()))).decode()


def _post(
    client: Any, key: ec.EllipticCurvePrivateKey, url: str, batch: list[sqlite3.Row]
) -> tuple[int, bool]:
    """Post a batch, at most three times. Returns the number of tries and whether it was taken."""
    import httpx

    body = ("[" + ",\r\n".join(row["body"] for row in batch) + "]\r\n").encode()
    for attempt in range(len(_PAUSES) + 1):
        timestamp = str(int(time.time()))
        headers = {
            "Content-Type": "application/json",
            "User-Agent": "SendGrid Event API",
            SIGNATURE_HEADER: sign(key, timestamp, body),
            TIMESTAMP_HEADER: timestamp,
        }
        try:
            if client.post(url, content=body, headers=headers).is_success:
                return attempt + 1, True
        except httpx.TransportError:
            pass  # a receiver that is down counts as one that refuses
        if attempt < len(_PAUSES):
            time.sleep(_PAUSES[attempt])
    return len(_PAUSES) + 1, False


def _batches(db: sqlite3.Connection, limit: int) -> Iterator[list[sqlite3.Row]]:
    due = db.execute(
        "select p.sg_event_id, p.copy, e.body from mail_posting p join mail_event e using (sg_event_id)"
        " where p.posted = 0 and p.post_at <= ? order by p.post_at, p.sg_event_id, p.copy",
        (limit,),
    ).fetchall()
    batch: list[sqlite3.Row] = []
    size = 0
    for row in due:
        length = len(row["body"].encode())
        if batch and (len(batch) >= MAX_EVENTS or size + length > MAX_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(row)
        size += length
    if batch:
        yield batch


def _private_key(db: sqlite3.Connection) -> ec.EllipticCurvePrivateKey:
    row = db.execute("select value from mail_setting where name = ?", (_KEY,)).fetchone()
    if row is None:
        made = ec.generate_private_key(ec.SECP256R1())
        pem = made.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
        # Two that start at once agree on the one that was stored first.
        db.execute("insert or ignore into mail_setting values (?, ?)", (_KEY, pem))
        row = db.execute("select value from mail_setting where name = ?", (_KEY,)).fetchone()
    key = load_pem_private_key(row["value"].encode(), password=None)
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise TypeError(f"mail_setting {_KEY} holds no elliptic curve key; delete it to have a new one made")
    return key
