"""SMTP and files: whole mails, and batches that a server divides."""

from __future__ import annotations

import email
import email.policy
import socket
import ssl
from collections.abc import Iterator
from datetime import timedelta
from email.message import EmailMessage
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from sqlalchemy import update

from kreislauf.connections import Connection
from kreislauf.delivery.links import Links
from kreislauf.delivery.sender import send
from kreislauf.delivery.templates import Templates
from kreislauf.delivery.transport import DeliveryError, transport_for
from kreislauf.ledger import batches
from kreislauf.ledger.schema import message
from kreislauf.ledger.store import Ledger, utc_now
from kreislauf.ledger.testing import plan_people

EXTRA = {"from_email": "hello@shop.example", "from_name": "Shöp", "postal_address": "Musterweg 1"}


class Server:
    """A mail server; `replies` maps an address to what it says instead of 250;
    under `after data` stands the recipient after whose mail it hangs up. `senders`: what it says to the
    first senders, one after the other."""

    port: int
    controller: Controller

    def __init__(self) -> None:
        self.received: list[EmailMessage] = []
        self.replies: dict[str, str] = {}
        self.senders: list[str] = []

    async def handle_MAIL(self, server: Any, session: Any, envelope: Any, address: str, options: Any) -> str:  # ruff: ignore[invalid-function-name]
        if self.senders and not (reply := self.senders.pop(0)).startswith("250"):
            return reply
        envelope.mail_from = address
        return "250 OK"

    async def handle_RCPT(self, server: Any, session: Any, envelope: Any, address: str, options: Any) -> str:  # ruff: ignore[invalid-function-name]
        if reply := self.replies.get(address):
            return reply
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # ruff: ignore[invalid-function-name]
        if self.replies.get("after data") == envelope.rcpt_tos[0]:
            server.transport.abort()
        self.received.append(email.message_from_bytes(envelope.content, policy=email.policy.default))
        return "250 OK"


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return free.getsockname()[1]


@pytest.fixture
def server() -> Iterator[Server]:
    running = Server()
    running.port = _free_port()
    running.controller = Controller(running, hostname="127.0.0.1", port=running.port)
    running.controller.start()
    yield running
    running.controller.stop()


@pytest.fixture
def send_all(server: Server, ledger: Ledger, links: Links):
    def send_all(**options: Any) -> Any:
        connection = Connection("mail", "smtp", host="127.0.0.1", port=server.port, extra=EXTRA)
        transport = transport_for(connection)
        return send(ledger, transport, Templates(), "flow_welcome", "hello", "me", links, **options)

    return send_all


def _states(ledger: Ledger) -> dict[str, int]:
    with ledger.read() as opened:
        return {f"{row.state} {row.reason}".strip(): row.messages for row in batches.message_states(opened)}


def test_a_whole_mail_arrives(server: Server, ledger: Ledger, send_all) -> None:
    plan_people(ledger, ["ada"], language="de", merge={"first_name": "Ada", "last_name": "Größe"})
    assert dict(send_all().messages) == {"accepted": 1}
    (mail,) = server.received
    assert mail["To"] == "ada@example.org"
    assert mail["From"] == "Shöp <hello@shop.example>"
    assert mail["Subject"] == "Schön, dass Sie da sind"
    assert mail["List-Unsubscribe"].startswith("<https://web.example/unsubscribe/")
    assert mail["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert mail["Message-ID"].endswith("@shop.example>")
    for kind in ("plain", "html"):
        content = mail.get_body((kind,)).get_content()
        assert "Guten Tag Ada Größe" in content
        assert "%%" not in content


def test_a_server_divides_a_batch(server: Server, ledger: Ledger, send_all) -> None:
    server.replies = {"bob@example.org": "550 no such user", "cy@example.org": "451 greylisted"}
    plan_people(ledger, ["ada", "bob", "cy"])
    assert dict(send_all().messages) == {"accepted": 1, "rejected": 1, "planned": 1}
    assert _states(ledger) == {"accepted": 1, "planned": 1, "rejected the mail server refused it (550)": 1}
    assert send_all().batches == 0  # greylisted: not before ten minutes have gone


def test_a_server_that_refuses_the_sender_rejects_nobody(server: Server, ledger: Ledger, send_all) -> None:
    server.senders = ["530 authentication required"]
    plan_people(ledger, ["ada", "bob"])
    with pytest.raises(DeliveryError, match=r"takes no mail from hello@shop\.example \(530\)"):
        send_all()
    assert _states(ledger) == {"planned": 2}


def test_who_comes_after_a_refusal_of_the_sender_waits(server: Server, ledger: Ledger, send_all) -> None:
    server.senders = ["250 OK", "550 too many mails today"]
    plan_people(ledger, ["ada", "bob", "cy"])
    assert dict(send_all().messages) == {"accepted": 1, "planned": 2}


def test_only_the_message_under_way_is_in_doubt_when_the_connection_breaks(
    server: Server, ledger: Ledger, send_all
) -> None:
    plan_people(ledger, ["ada", "bob", "cy", "di"])
    server.replies = {"after data": "bob@example.org"}
    send_all()
    assert _states(ledger) == {"accepted": 3, "in_doubt": 1}
    assert sorted(mail["To"].partition("@")[0] for mail in server.received) == ["ada", "bob", "cy", "di"]


ODD = {"ada": "adä@example.org", "bob": "b@c@example.org", "cy": "c..y@example.org", "eve": "e@exämple.org"}


def _plan_odd(ledger: Ledger) -> None:
    """Messages to people whose addresses no mail can hold, and one to somebody else."""
    plan_people(ledger, [*ODD, "di"])
    with ledger.write() as opened:
        for name, address in ODD.items():
            opened.execute(update(message).where(message.c.contact_id == name).values(address=address))


def test_an_address_that_cannot_be_written_stops_nobody_else(
    server: Server, ledger: Ledger, send_all
) -> None:
    _plan_odd(ledger)
    assert dict(send_all().messages) == {"accepted": 1, "rejected": 4}
    assert [mail["To"] for mail in server.received] == ["di@example.org"]
    assert _states(ledger) == {"accepted": 1, "rejected its address cannot be written in a mail": 4}


@pytest.mark.parametrize("security", ["tls", "starttls"])
def test_a_server_whose_certificate_nobody_vouches_for_gets_nothing(
    ledger: Ledger, links: Links, tmp_path: Path, security: str
) -> None:
    plan_people(ledger, ["ada"])
    options = {"ssl_context" if security == "tls" else "tls_context": _own_certificate(tmp_path)}
    server = Server()
    controller = Controller(server, hostname="127.0.0.1", port=_free_port(), **options)
    controller.start()
    try:
        connection = Connection(
            "mail", "smtp", host="127.0.0.1", port=controller.port, extra=EXTRA | {"security": security}
        )
        with pytest.raises(DeliveryError, match="cannot be used \\(SSLCertVerificationError\\)"):
            send(ledger, transport_for(connection), Templates(), "flow_welcome", "hello", "me", links)
    finally:
        controller.stop()
    assert server.received == []
    assert _states(ledger) == {"planned": 1}


def _own_certificate(folder: Path) -> ssl.SSLContext:
    """A certificate that 127.0.0.1 has made for itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now = utc_now()
    made = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    made = made.not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=1))
    made = made.add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), False)
    pem = serialization.Encoding.PEM
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    file = folder / "own.pem"
    file.write_bytes(private + made.sign(key, hashes.SHA256()).public_bytes(pem))
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(file)
    return context


def test_a_server_that_is_not_there_has_accepted_nothing(ledger: Ledger, links: Links) -> None:
    plan_people(ledger, ["ada"])
    transport = transport_for(Connection("mail", "smtp", host="127.0.0.1", port=1, extra=EXTRA))
    with pytest.raises(DeliveryError, match=r"mail server 127\.0\.0\.1:1 cannot be used"):
        send(ledger, transport, Templates(), "flow_welcome", "hello", "me", links)
    assert _states(ledger) == {"planned": 1}


def test_mails_as_files(tmp_path: Path, ledger: Ledger, links: Links) -> None:
    _plan_odd(ledger)
    transport = transport_for(Connection("mail", "file", host=str(tmp_path / "mails"), extra=EXTRA))
    send(ledger, transport, Templates(), "flow_welcome", "hello", "me", links)
    assert _states(ledger) == {"accepted": 1, "rejected its address cannot be written in a mail": 4}
    files = list((tmp_path / "mails" / "flow_welcome" / "hello").iterdir())
    mails = [email.message_from_bytes(path.read_bytes(), policy=email.policy.default) for path in files]
    assert sorted(mail["To"] for mail in mails) == ["di@example.org"]


def test_a_folder_that_cannot_be_written_stops_the_flow(tmp_path: Path, ledger: Ledger, links: Links) -> None:
    plan_people(ledger, ["ada"])
    (tmp_path / "mails").write_text("not a folder")
    transport = transport_for(Connection("mail", "file", host=str(tmp_path / "mails"), extra=EXTRA))
    with pytest.raises(DeliveryError, match="cannot write mails"):
        send(ledger, transport, Templates(), "flow_welcome", "hello", "me", links)
    assert _states(ledger) == {"planned": 1}
