"""The whole way: a batch to the sandbox's mail provider, its signed events back, an opt-out."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from kreislauf.connections import Connection
from kreislauf.delivery.links import Links
from kreislauf.delivery.sender import send
from kreislauf.delivery.templates import Templates
from kreislauf.delivery.transport import DeliveryError, transport_for
from kreislauf.ledger import batches, events
from kreislauf.ledger.store import Ledger
from kreislauf.ledger.testing import plan_people
from sandbox.testing import Sandbox, run_sandbox

START = datetime(2026, 11, 1, 6, tzinfo=UTC)
EXTRA = {"from_email": "hello@shop.example", "from_name": "Sandbox Shop", "postal_address": "Musterweg 1"}


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory):
    home = tmp_path_factory.mktemp("sandbox")
    with run_sandbox(home, contacts=20, days=5, start=START) as running:
        yield running


def _send(sandbox: Sandbox, ledger: Ledger, links: Links, key: str | None = None) -> Any:
    connection = Connection("mail", "http", host=sandbox.mail, password=key or sandbox.mail_key, extra=EXTRA)
    return send(ledger, transport_for(connection), Templates(), "flow_welcome", "hello", "me", links)


def _inbox(sandbox: Sandbox) -> list[dict[str, Any]]:
    found = httpx.get(f"{sandbox.mail}/inbox.json").raise_for_status().json()
    return found["messages"] if isinstance(found, dict) else found


def test_a_batch_arrives_as_single_mails(sandbox: Sandbox, ledger: Ledger, links: Links) -> None:
    plan_people(ledger, [f"p{n}" for n in range(30)], language="de", merge={"first_name": "Ada"})
    assert dict(_send(sandbox, ledger, links).messages) == {"accepted": 30}
    mails = [mail for mail in _inbox(sandbox) if mail["address"].startswith("p")]
    assert len(mails) == 30
    assert len({mail["custom_args"]["mk"] for mail in mails}) == 30
    assert {mail["subject"] for mail in mails} == {"Schön, dass Sie da sind"}
    assert "%%" not in json.dumps(mails)
    assert all("One-Click" in mail["headers"]["List-Unsubscribe-Post"] for mail in mails)


def test_one_address_the_provider_refuses(sandbox: Sandbox, ledger: Ledger, links: Links) -> None:
    plan_people(ledger, ["q1", "no address", "q2"])
    assert dict(_send(sandbox, ledger, links).messages) == {"accepted": 2, "rejected": 1}


def test_a_wrong_key(sandbox: Sandbox, ledger: Ledger, links: Links) -> None:
    plan_people(ledger, ["r1"])
    with pytest.raises(DeliveryError, match=r"API key \(401\)"):
        _send(sandbox, ledger, links, key="SG.wrong")


def test_accepted_without_an_answer_is_settled_by_events(
    sandbox: Sandbox, ledger: Ledger, links: Links
) -> None:
    plan_people(ledger, ["s1", "s2"])
    sandbox.fault("/mail/v3/mail/send", "drop_after_accept", times=1)
    assert dict(_send(sandbox, ledger, links).messages) == {"in_doubt": 2}
    sandbox.clear_faults()
    assert _send(sandbox, ledger, links).batches == 0
    sent = [mail for mail in _inbox(sandbox) if re.match(r"s\d@", mail["address"])]
    assert len(sent) == 2
    events.record(
        ledger,
        [
            {
                "event_id": "e1",
                "event_type": "processed",
                "occurred_at": START,
                "email": sent[0]["address"],
                "batch_id": sent[0]["custom_args"]["bk"],
            }
        ],
    )
    with ledger.read() as opened:
        assert {row.state for row in batches.message_states(opened)} == {"accepted"}
