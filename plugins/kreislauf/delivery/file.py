"""Mails as files: one .eml a message, for looking at them without any server."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from kreislauf.delivery.mime import UnwritableAddress, message
from kreislauf.delivery.transport import Answer, Envelope, From, Kind

if TYPE_CHECKING:
    from kreislauf.connections import Connection


@dataclass(frozen=True)
class FileTransport:
    """Writes `<folder>/<flow>/<step>/<message key>.eml`, each complete or not at all."""

    sender: From
    folder: Path

    @classmethod
    def of(cls, connection: Connection) -> FileTransport:
        """From a connection; host: the folder."""
        if not connection.host:
            raise ValueError(f"connection {connection.conn_id!r}: host must be the folder for the mails")
        return cls(From.of(connection), Path(connection.host))

    def send(self, envelope: Envelope) -> Answer:
        """Writes all messages, or says that it could not: writing one again changes nothing."""
        folder = self.folder / envelope.flow / envelope.step
        rejected: dict[str, str] = {}
        try:
            folder.mkdir(parents=True, exist_ok=True)
            for person in envelope.recipients:
                try:
                    mail = message(envelope, person, self.sender)
                except UnwritableAddress as error:
                    rejected[person.message_key] = str(error)
                    continue
                part = folder / f".{person.message_key}.part"
                part.write_bytes(mail.as_bytes())
                part.replace(folder / f"{person.message_key}.eml")
        except OSError as error:
            return Answer(Kind.REFUSED, error=f"cannot write mails to {folder}: {error.strerror}")
        return Answer(Kind.ACCEPTED, rejected=rejected)
