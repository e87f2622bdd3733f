"""Texts: only what the provider has signed counts, and STOP is STOP."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from kreislauf.delivery.links import Links
from kreislauf.ledger import batches
from kreislauf.ledger.schema import Channel, consent, event, message, suppression
from kreislauf.ledger.store import Ledger, utc_now
from sandbox.sms.people import sign
from tests.plugins.kreislauf.delivery.channels import plan, rows, states
from tests.plugins.kreislauf.web.conftest import SMS_TOKEN

NUMBER = "+4915112345678"


@pytest.fixture
def post(client: httpx.Client, links: Links):
    """Post a form as the provider does."""

    def post(path: str, form: dict[str, str], token: str = SMS_TOKEN) -> httpx.Response:
        signature = sign(token, links.base_url + path, form)
        return client.post(path, data=form, headers={"X-Twilio-Signature": signature})

    return post


@pytest.fixture
def path(ledger: Ledger, links: Links) -> str:
    """The status path of a text to the number."""
    plan(ledger, Channel.SMS, [NUMBER])
    return f"/sms/status/{links.token(rows(ledger, message)[0].message_key, 'sms status')}"


def _status(status: str, **more: str) -> dict[str, str]:
    return {"MessageSid": "SM1", "MessageStatus": status, "To": NUMBER, **more}


def _answer(text: str, sid: str = "SM9") -> dict[str, str]:
    return {"MessageSid": sid, "From": NUMBER, "Body": text}


def test_a_status_is_an_event_of_its_message_once(ledger, post, path) -> None:
    for status in ("queued", "sent", "delivered", "delivered"):
        assert post(path, _status(status)).status_code == 204
    (sent,) = rows(ledger, message)
    found = {(row.type, row.message_key, row.address) for row in rows(ledger, event)}
    assert found == {("processed", sent.message_key, NUMBER), ("delivered", sent.message_key, NUMBER)}


def test_a_status_settles_its_message_and_no_other(ledger, links, post) -> None:
    plan(ledger, Channel.SMS, [NUMBER, "+4915112345679"])
    claimed = batches.claim(ledger, "flow", "sms", "me", utc_now())
    batches.answer(ledger, claimed, batches.Verdict(batches.BatchState.IN_DOUBT))
    token = links.token(claimed.messages[0].message_key, "sms status")
    post(f"/sms/status/{token}", _status("sent"))
    assert states(ledger) == {"accepted": 1, "in_doubt": 1}


@pytest.mark.parametrize(("code", "is_over"), [("30005", True), ("30006", True), ("30003", False)])
def test_a_number_that_cannot_be_reached_for_good(ledger, post, path, code: str, is_over: bool) -> None:
    post(path, _status("undelivered", ErrorCode=code))
    found = [(row.address, row.channel, row.reason) for row in rows(ledger, suppression)]
    assert found == ([(NUMBER, "sms", "hard_bounce")] if is_over else [])


@pytest.mark.parametrize("text", ["STOP", "stop.", "Stopp bitte", "ABMELDEN"])
def test_stop_ends_the_texts_and_only_them(ledger, post, path, text: str) -> None:
    for _ in range(2):
        assert post("/sms/inbound", _answer(text)).status_code == 200
    (stopped,) = rows(ledger, suppression)
    (said,) = rows(ledger, consent)
    assert (stopped.address, stopped.contact_id) == (NUMBER, f"contact-{NUMBER}")
    assert (stopped.channel, stopped.reason) == ("sms", "opt_out")
    assert (said.channel, said.state, said.source) == ("sms", "revoked", "sms")
    assert batches.claim(ledger, "flow", "sms", "me", utc_now()).messages == []
    plan(ledger, Channel.WEBHOOK, [NUMBER])
    assert len(batches.claim(ledger, "flow", "webhook", "me", utc_now()).messages) == 1


def test_start_takes_it_back(ledger, post, path) -> None:
    post("/sms/inbound", _answer("STOP"))
    post("/sms/inbound", _answer("START", "SM10"))
    (stopped,) = rows(ledger, suppression)
    assert stopped.lifted_by == "sms SM10"
    assert [row.state for row in rows(ledger, consent)] == ["revoked", "granted"]
    assert len(batches.claim(ledger, "flow", "sms", "me", utc_now()).messages) == 1


def test_an_answer_that_comes_again_does_not_undo_a_later_one(ledger, post, path) -> None:
    for text, sid in (
        ("STOP", "SM9"),
        ("START", "SM10"),
        ("STOP", "SM11"),
        ("START", "SM10"),
        ("STOP", "SM9"),
    ):
        post("/sms/inbound", _answer(text, sid))
    (stopped,) = rows(ledger, suppression)
    assert (stopped.source, stopped.lifted_at) == ("sms SM11", None)
    assert [row.source_key for row in rows(ledger, consent)] == ["sms SM9", "sms SM10", "sms SM11"]
    assert batches.claim(ledger, "flow", "sms", "me", utc_now()).messages == []


def test_other_answers_change_nothing(ledger, post, path) -> None:
    for text in ("Danke!", "", "please do not stop", "Yes", "Start when?", "..."):
        assert post("/sms/inbound", _answer(text)).status_code == 200
    assert rows(ledger, suppression) == rows(ledger, consent) == []


def test_what_is_not_signed_is_refused(ledger, client, post, path, links) -> None:
    assert post("/sms/inbound", _answer("STOP"), token="another").status_code == 403
    assert client.post("/sms/inbound", data=_answer("STOP")).status_code == 403
    assert post(path, _status("sent"), token="another").status_code == 403
    signature = {"X-Twilio-Signature": sign(SMS_TOKEN, f"{links.base_url}/sms/inbound", _answer("Hi"))}
    assert client.post("/sms/inbound", data=_answer("STOP"), headers=signature).status_code == 403
    assert rows(ledger, suppression) == rows(ledger, event) == []


def test_a_token_for_something_else_is_no_status(ledger, post, links, path) -> None:
    (sent,) = rows(ledger, message)
    other: Any = links.token(sent.message_key)
    assert post(f"/sms/status/{other}", _status("sent")).status_code == 404
