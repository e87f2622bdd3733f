"""SMTP: one connection a batch, one message a recipient.

Each message is accepted on its own, so an answer can divide a batch: refused recipients (5xx) are
rejected, postponed ones (4xx) and those not reached are offered again, and the message under way when
the connection broke is in doubt.
"""

from __future__ import annotations

import smtplib
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING

from kreislauf.delivery.mime import message
from kreislauf.delivery.transport import Answer, Envelope, From, Kind, Recipient, is_local, refuse_to_leave
from kreislauf.ledger.store import utc_now

if TYPE_CHECKING:
    from kreislauf.connections import Connection

TIMEOUT_SECONDS = 60

RETRY_AFTER = timedelta(minutes=10)
"""When a message is offered again that the server did not want to take for now (4xx, greylisting)."""


@dataclass(frozen=True)
class SmtpTransport:
    """Sends through a mail server. `security`: starttls, tls or none."""

    sender: From
    host: str
    port: int
    security: str
    login: str | None = None
    password: str | None = field(default=None, repr=False)

    @classmethod
    def of(cls, connection: Connection) -> SmtpTransport:
        """From a connection: host, port, login, password, extra `security` (default starttls; to
        this machine none). Raises ValueError if it is incomplete."""
        if not connection.host:
            raise ValueError(f"connection {connection.conn_id!r}: host must be the mail server")
        refuse_to_leave(connection.host)
        security = connection.extra.get("security", "none" if is_local(connection.host) else "starttls")
        if security not in {"starttls", "tls", "none"}:
            raise ValueError(
                f"connection {connection.conn_id!r}: security is starttls, tls or none, not {security!r}"
            )
        port = connection.port or {"starttls": 587, "tls": 465, "none": 25}[security]
        return cls(
            From.of(connection), connection.host, port, security, connection.login, connection.password
        )

    def send(self, envelope: Envelope) -> Answer:
        """One connection; see the module for how an answer divides the batch."""
        try:
            server = self._connect()
        except smtplib.SMTPAuthenticationError:
            return Answer(Kind.REFUSED, error="the mail server does not accept login and password")
        except (OSError, smtplib.SMTPException) as error:
            text = f"the mail server {self.host}:{self.port} cannot be used ({type(error).__name__})"
            return Answer(Kind.REFUSED, error=text)

        rejected: dict[str, str] = {}
        postponed: set[str] = set()
        waiting = list(envelope.recipients)
        while waiting:
            person = waiting.pop(0)
            mail = message(envelope, person, self.sender).as_bytes()
            try:
                server.sendmail(self.sender.email, [person.address], mail)
            except (smtplib.SMTPRecipientsRefused, smtplib.SMTPResponseException) as error:
                code = _code(error)
                if code == 421:  # the server closes; it has not taken this message
                    waiting.insert(0, person)
                    break
                if code < 500:
                    postponed.add(person.message_key)
                else:
                    rejected[person.message_key] = f"the mail server refused it ({code})"
            except (OSError, smtplib.SMTPException) as error:
                text = f"the connection to the mail server broke ({type(error).__name__})"
                unsent = _keys(waiting) | postponed
                return Answer(Kind.ACCEPTED, None, None, text, rejected, {person.message_key}, unsent)
        _quit(server)
        unsent = _keys(waiting) | postponed
        retry_at = utc_now() + RETRY_AFTER if unsent else None
        return Answer(Kind.ACCEPTED, rejected=rejected, unsent=unsent, retry_at=retry_at)

    def _connect(self) -> smtplib.SMTP:
        maker = smtplib.SMTP_SSL if self.security == "tls" else smtplib.SMTP
        server = maker(self.host, self.port, timeout=TIMEOUT_SECONDS)
        if self.security == "starttls":
            server.starttls()
        if self.login and self.password:
            server.login(self.login, self.password)
        return server


def _keys(people: list[Recipient]) -> set[str]:
    return {person.message_key for person in people}


def _code(error: smtplib.SMTPRecipientsRefused | smtplib.SMTPResponseException) -> int:
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        return next(iter(error.recipients.values()))[0]
    return error.smtp_code


def _quit(server: smtplib.SMTP) -> None:
    """Say goodbye; everything was answered already."""
    try:
        server.quit()
    except (OSError, smtplib.SMTPException):
        server.close()
