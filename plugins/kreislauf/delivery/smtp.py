"""SMTP: one connection a batch, one message a recipient.

Each message is accepted on its own, so an answer can divide a batch: refused recipients are
rejected, the message under way when the connection broke is in doubt, later ones were not sent.
"""

from __future__ import annotations

import smtplib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from kreislauf.delivery.mime import message
from kreislauf.delivery.transport import Answer, Envelope, From, Kind, refuse_to_leave

if TYPE_CHECKING:
    from kreislauf.connections import Connection

TIMEOUT_SECONDS = 60


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
        """From a connection: host, port, login, password, extra `security` (default starttls; on this
        machine none). Raises ValueError if it is incomplete."""
        if not connection.host:
            raise ValueError(f"connection {connection.conn_id!r}: host must be the mail server")
        refuse_to_leave(connection.host)
        security = connection.extra.get("security", "starttls" if "." in connection.host else "none")
        if connection.host.startswith("127."):
            security = connection.extra.get("security", "none")
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
        waiting = list(envelope.recipients)
        in_doubt: frozenset[str] = frozenset()
        error_text = None
        while waiting and error_text is None:
            person = waiting.pop(0)
            mail = message(envelope, person, self.sender)
            try:
                server.sendmail(self.sender.email, [person.address], mail.as_bytes())
            except smtplib.SMTPRecipientsRefused as error:
                code, _ = next(iter(error.recipients.values()))
                rejected[person.message_key] = f"the mail server refused the recipient ({code})"
            except smtplib.SMTPResponseException as error:
                rejected[person.message_key] = f"the mail server refused the message ({error.smtp_code})"
            except (OSError, smtplib.SMTPException) as error:
                in_doubt = frozenset({person.message_key})
                error_text = f"the connection to the mail server broke ({type(error).__name__})"
        if error_text is None:
            _quit(server)
        unsent = frozenset(person.message_key for person in waiting)
        return Answer(Kind.ACCEPTED, error=error_text, rejected=rejected, in_doubt=in_doubt, unsent=unsent)

    def _connect(self) -> smtplib.SMTP:
        maker = smtplib.SMTP_SSL if self.security == "tls" else smtplib.SMTP
        server = maker(self.host, self.port, timeout=TIMEOUT_SECONDS)
        if self.security == "starttls":
            server.starttls()
        if self.login and self.password:
            server.login(self.login, self.password)
        return server


def _quit(server: smtplib.SMTP) -> None:
    """Say goodbye; everything was answered already."""
    try:
        server.quit()
    except (OSError, smtplib.SMTPException):
        server.close()
