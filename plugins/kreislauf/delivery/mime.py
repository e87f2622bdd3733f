"""A message of a batch as a whole e-mail, for transports without merge fields of their own."""

from __future__ import annotations

from email.errors import MessageError
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime

from kreislauf.delivery.transport import Envelope, From, Recipient
from kreislauf.ledger.store import utc_now


class UnwritableAddress(ValueError):
    """An address that no mail header, or no command of SMTP, can hold. The text does not repeat it."""


def message(envelope: Envelope, person: Recipient, sender: From) -> EmailMessage:
    """The e-mail to one person, with the values in place and the headers of RFC 8058.

    Raises UnwritableAddress.
    """
    parts = envelope.parts_for(person)
    mail = EmailMessage(policy=SMTP)
    mail["From"] = Address(sender.name, addr_spec=sender.email)
    mail["To"] = _to(person.address)
    if sender.reply_to:
        mail["Reply-To"] = Address(addr_spec=sender.reply_to)
    mail["Subject"] = parts["subject"]
    mail["Date"] = format_datetime(utc_now())
    mail["Message-ID"] = f"<{person.message_key}@{sender.email.rpartition('@')[2]}>"
    mail["List-Unsubscribe"] = f"<{person.unsubscribe_url}>"
    mail["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
    mail.set_content(parts["text"], cte="base64")
    mail.add_alternative(parts["html"], subtype="html", cte="base64")
    return mail


def _to(address: str) -> Address:
    try:
        address.encode("ascii")
        return Address(addr_spec=address)
    except (ValueError, IndexError, MessageError):  # what the standard library says of such
        raise UnwritableAddress("its address cannot be written in a mail") from None
