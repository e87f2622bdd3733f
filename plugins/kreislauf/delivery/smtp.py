"""SMTP: one connection a batch, one message a recipient.

Each message is accepted on its own, so an answer can divide a batch: refused recipients (5xx) are
rejected, postponed ones (4xx) and those not reached are offered again, and the message under way when
the connection broke is in doubt.
"""

from __future__ import annotations

import contextlib
import smtplib
import ssl
from collections.abc import Generator
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING

from kreislauf.delivery.mime import UnwritableAddress, message
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
            text = f"the mail server {self.host}:{self.port} does not accept login and password"
            return Answer(Kind.REFUSED, error=text)
        except (OSError, smtplib.SMTPException) as error:
            text = f"the mail server {self.host}:{self.port} cannot be used ({type(error).__name__})"
            return Answer(Kind.REFUSED, error=text)
        with _closing(server):
            return self._send(server, envelope)

    def _send(self, server: smtplib.SMTP, envelope: Envelope) -> Answer:
        rejected: dict[str, str] = {}
        postponed: set[str] = set()
        waiting = list(envelope.recipients)
        everybody = len(waiting)
        while waiting:
            person = waiting.pop(0)
            try:
                mail = message(envelope, person, self.sender).as_bytes()
                server.sendmail(self.sender.email, [person.address], mail)
            except UnwritableAddress as error:
                rejected[person.message_key] = str(error)
            except smtplib.SMTPSenderRefused as error:  # it is about us, not about this person
                waiting.insert(0, person)
                if error.smtp_code >= 500 and len(waiting) + len(rejected) + len(postponed) == everybody:
                    text = f"the mail server {self.host}:{self.port} takes no mail from {self.sender.email}"
                    return Answer(Kind.REFUSED, error=f"{text} ({error.smtp_code}); does it ask for a login?")
                break
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
        unsent = _keys(waiting) | postponed
        retry_at = utc_now() + RETRY_AFTER if unsent else None
        return Answer(Kind.ACCEPTED, rejected=rejected, unsent=unsent, retry_at=retry_at)

    def _connect(self) -> smtplib.SMTP:
        # smtplib's own default takes any certificate.
        context = ssl.create_default_context()
        if self.security == "tls":
            server: smtplib.SMTP = smtplib.SMTP_SSL(
                self.host, self.port, timeout=TIMEOUT_SECONDS, context=context
            )
        else:
            server = smtplib.SMTP(self.host, self.port, timeout=TIMEOUT_SECONDS)
        try:
            if self.security == "starttls":
                server.starttls(context=context)
            if self.login and self.password:
                server.login(self.login, self.password)
        except BaseException:
            server.close()
            raise
        return server


def _keys(people: list[Recipient]) -> set[str]:
    return {person.message_key for person in people}


def _code(error: smtplib.SMTPRecipientsRefused | smtplib.SMTPResponseException) -> int:
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        return next(iter(error.recipients.values()))[0]
    return error.smtp_code


@contextlib.contextmanager
def _closing(server: smtplib.SMTP) -> Generator[None]:
    """Say goodbye at the end, to whoever still listens; everything was answered already."""
    try:
        yield
    finally:
        with contextlib.suppress(OSError, smtplib.SMTPException):
            server.quit()
        server.close()
