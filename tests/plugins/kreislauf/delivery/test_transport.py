"""Which transport a connection names, and that nothing leaves the machine by accident."""

from __future__ import annotations

import pytest

from kreislauf.connections import Connection
from kreislauf.delivery.file import FileTransport
from kreislauf.delivery.sendgrid import SendGridTransport
from kreislauf.delivery.smtp import SmtpTransport
from kreislauf.delivery.transport import SendingDisabled, transport_for

EXTRA = {"from_email": "hello@shop.example", "from_name": "Shop", "postal_address": "Musterweg 1"}


def _connection(conn_type: str, host: str = "", **columns: object) -> Connection:
    return Connection("mail", conn_type, **({"host": host, "password": "key", "extra": EXTRA} | columns))


@pytest.mark.parametrize("switch", [None, "", "no", "true"])
@pytest.mark.parametrize(
    "connection",
    [
        _connection("sendgrid"),  # its default is the real one
        _connection("http", "https://api.sendgrid.com"),
        _connection("http", "https://192.0.2.1"),
        _connection("http", "http://127.0.0.1.example.org"),
        _connection("http", "http://localhost.example.org"),
        _connection("http", "http://localhost@api.sendgrid.com"),
        _connection("smtp", "smtp.example.org"),
        _connection("smtp", "192.0.2.1"),
    ],
)
def test_no_message_leaves_the_machine_without_the_switch(
    monkeypatch: pytest.MonkeyPatch, switch: str | None, connection: Connection
) -> None:
    monkeypatch.delenv("KREISLAUF_PRODUCTION", raising=False)
    if switch is not None:
        monkeypatch.setenv("KREISLAUF_PRODUCTION", switch)
    with pytest.raises(SendingDisabled, match="KREISLAUF_PRODUCTION=yes"):
        transport_for(connection)


def test_with_the_switch_it_does(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KREISLAUF_PRODUCTION", "yes")
    assert transport_for(_connection("sendgrid")).host == "https://api.sendgrid.com"


@pytest.mark.parametrize(
    ("connection", "kind"),
    [
        (_connection("http", "http://127.0.0.1:8081/mail"), SendGridTransport),
        (_connection("sendgrid", "http://[::1]:8081"), SendGridTransport),
        (_connection("http", "http://sandbox:8081/mail"), SendGridTransport),
        (_connection("http", "http://sandbox.localhost:8081/mail"), SendGridTransport),
        (_connection("smtp", "mailpit", port=1025), SmtpTransport),
        (_connection("smtp", "127.0.0.1"), SmtpTransport),
        (_connection("file", "/tmp/mails"), FileTransport),
    ],
)
def test_this_machine_and_its_neighbours_need_no_switch(connection: Connection, kind: type) -> None:
    assert isinstance(transport_for(connection), kind)


@pytest.mark.parametrize(
    ("connection", "message"),
    [
        (_connection("pigeon"), "'sendgrid', 'smtp' or 'file', not 'pigeon'"),
        (_connection("http", "http://localhost", password=None), "no password"),
        (_connection("http", "http://localhost", extra={**EXTRA, "postal_address": ""}), "'postal_address'"),
        (_connection("smtp"), "host must be the mail server"),
        (_connection("smtp", "localhost", extra={**EXTRA, "security": "maybe"}), "starttls, tls or none"),
        (_connection("file"), "host must be the folder"),
    ],
)
def test_an_incomplete_connection_is_named(connection: Connection, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        transport_for(connection)


def test_the_key_is_not_in_the_repr() -> None:
    transport = transport_for(_connection("http", "http://127.0.0.1", password="SG.secret"))
    assert "SG.secret" not in repr(transport)
