"""Every channel against its counterpart in the sandbox: what arrives, what is refused, what is in doubt."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import update

from kreislauf.connections import Connection
from kreislauf.delivery.channels import WAYS
from kreislauf.delivery.links import Links
from kreislauf.delivery.push import is_service
from kreislauf.delivery.sender import SendResult, send
from kreislauf.delivery.templates import Templates
from kreislauf.delivery.transport import DeliveryError, From, SendingDisabled
from kreislauf.delivery.webhook import TRIES, WebhookTransport
from kreislauf.ledger import batches
from kreislauf.ledger.schema import (
    Channel,
    audience_member,
    batch,
    message,
    overlay,
    push_subscription,
    suppression,
)
from kreislauf.ledger.store import Ledger, utc_now
from sandbox.push import crypto
from tests.plugins.kreislauf.delivery.channels import OtherEnds, plan, rows, states, write_template

VAPID, _ = crypto.new_pair()
NUMBERS = [f"+4915112345{n:03d}" for n in range(10)]


def connections(ends: OtherEnds) -> dict[str, Connection]:
    """The connections of all channels to the sandbox."""
    options = ends.options
    sms = {"from": "+4930123456", "from_name": "Shop"}
    push = {"subject": "mailto:it@shop.example", "services": ["127.0.0.1"]}
    return {
        "sms": Connection(
            "sms", "http", f"{ends.url}/sms", None, options.sms_account, options.sms_token, extra=sms
        ),
        "push": Connection("push", "http", password=VAPID, extra=push),
        "crm": Connection("crm", "http", f"{ends.url}/crm", password=options.crm_token),
        "webhook": Connection(
            "webhook", "http", f"{ends.url}/webhook/receive", password=options.webhook_secret
        ),
        "web": Connection("web", "http", "https://web.example", password="x" * 16),
    }


@pytest.fixture
def send_all(ledger: Ledger, ends: OtherEnds, links: Links, tmp_path: Path):
    """Write the channel's template and send what is planned."""

    def send_all(channel: Channel, template: str | None = None, **options: Any) -> SendResult:
        write_template(tmp_path / "templates", channel, template)
        way = WAYS[channel]
        transport = way.make(connections(ends)[way.connection], ledger, links)
        templates = Templates(tmp_path / "templates")
        options = {"sleep": lambda seconds: None} | options
        return send(ledger, transport, templates, "flow", channel.value, "run-1 try 1", links, **options)

    return send_all


def inbox(ends: OtherEnds, channel: str) -> list[dict[str, Any]]:
    return httpx.get(f"{ends.url}/{channel}/inbox.json").raise_for_status().json()


def records(ends: OtherEnds, kind: str) -> list[dict[str, Any]]:
    with ends.store.read() as db:
        found = db.execute("select properties from crm_object where kind = ? order by id", (kind,))
        return [json.loads(row["properties"]) for row in found]


# ------------------------------------------------------------------------------------------ texts


def test_texts_arrive_once_with_their_link_and_callback(ledger, ends, send_all, links) -> None:
    plan(ledger, Channel.SMS, NUMBERS)
    assert dict(send_all(Channel.SMS).messages) == {"accepted": 10}
    texts = inbox(ends, "sms")
    assert sorted(text["address"] for text in texts) == NUMBERS
    campaign = "https://shop.example/cart?id=1&utm_source=kreislauf&utm_medium=sms&utm_campaign=flow"
    assert {text["content"]["body"] for text in texts} == {f"Hallo Ada: {campaign} STOP beendet das"}
    keys = {row.message_key for row in rows(ledger, message)}
    assert {text["message_key"] for text in texts} == keys
    token = texts[0]["content"]["callback"].rpartition("/")[2]
    assert links.message_key(token, "sms status") in keys
    assert links.message_key(token) is None  # it opts nobody out


def test_what_the_provider_says_of_a_number_is_remembered(ledger, ends, send_all) -> None:
    plan(ledger, Channel.SMS, ["+15005550001", "+15005550004", "+15005550003", NUMBERS[0]])
    assert dict(send_all(Channel.SMS).messages) == {"rejected": 3, "accepted": 1}
    found = {(row.address, row.channel, row.reason) for row in rows(ledger, suppression)}
    assert found == {
        ("+15005550001", "sms", "invalid_address"), ("+15005550004", "sms", "opt_out")
    }  # fmt: skip


@pytest.mark.parametrize("fault", [500, "drop_after_accept", "drop"])
def test_a_text_without_an_answer_is_in_doubt_alone(ledger, ends, send_all, fault) -> None:
    plan(ledger, Channel.SMS, NUMBERS)
    ends.faults.add({"path": "/sms/2010", "fault": fault, "times": 1, "skip": 4})
    assert dict(send_all(Channel.SMS).messages) == {"accepted": 9, "in_doubt": 1}
    assert send_all(Channel.SMS).batches == 0
    assert len(inbox(ends, "sms")) == (10 if fault == "drop_after_accept" else 9)


def test_throttling_leaves_the_rest_for_later(ledger, ends, send_all) -> None:
    plan(ledger, Channel.SMS, NUMBERS)
    limit = {"path": "/sms/2010", "fault": 429, "times": 1, "skip": 3, "headers": {"Retry-After": "3600"}}
    ends.faults.add(limit)
    counts = dict(send_all(Channel.SMS).messages)
    assert counts["planned"] + counts["accepted"] == 10
    assert counts["planned"] >= 1
    later = utc_now() + timedelta(hours=2)
    assert send_all(Channel.SMS, clock=lambda: later).messages["accepted"] == counts["planned"]
    assert len({text["message_key"] for text in inbox(ends, "sms")}) == len(inbox(ends, "sms")) == 10


def test_a_wrong_login_stops_and_loses_nothing(ledger, ends, send_all) -> None:
    plan(ledger, Channel.SMS, NUMBERS)
    ends.faults.add({"path": "/sms/2010", "fault": 401})
    with pytest.raises(DeliveryError, match="check login and password of the connection 'sms'") as caught:
        send_all(Channel.SMS)
    assert "+49" not in str(caught.value)
    assert states(ledger) == {"planned": 10}


# ---------------------------------------------------------------------------------- notifications


def test_notifications_are_decrypted_by_their_browsers(ledger, ends, send_all, subscribe, links) -> None:
    ids = subscribe(7)
    plan(ledger, Channel.PUSH, ids)
    assert dict(send_all(Channel.PUSH).messages) == {"accepted": 7}
    shown = inbox(ends, "push")
    assert {one["address"] for one in shown} == set(ids)
    assert {one["content"]["title"] for one in shown} == {"Hallo Ada"}
    assert "utm_medium=push" in shown[0]["content"]["url"]
    token = shown[0]["content"]["token"]
    assert shown[0]["content"]["beacon"] == f"https://web.example/push/{token}"
    assert links.message_key(token, "push") == shown[0]["message_key"]


def test_a_subscription_that_is_gone_is_revoked(ledger, ends, send_all, subscribe) -> None:
    gone, kept = subscribe(2)
    httpx.delete(f"{ends.url}/push/subscriptions/{gone}").raise_for_status()
    plan(ledger, Channel.PUSH, [gone, kept])
    assert dict(send_all(Channel.PUSH).messages) == {"accepted": 1, "rejected": 1}
    assert {row.id for row in rows(ledger, push_subscription) if row.revoked_at} == {gone}
    plan(ledger, Channel.PUSH, [gone], occurrence_id="second")
    before = ends.counted.number
    assert dict(send_all(Channel.PUSH).messages) == {"rejected": 1}
    assert ends.counted.number == before  # nobody was asked


@pytest.mark.parametrize(
    ("endpoint", "is_one"),
    [
        ("https://fcm.googleapis.com/fcm/send/x", True),
        ("https://db5p.notify.windows.com/w/?token=x", True),
        ("http://fcm.googleapis.com/x", False),
        ("https://fcm.googleapis.com.evil.example/x", False),
        ("https://evilfcm.googleapis.com@127.0.0.1/x", False),
        ("http://169.254.169.254/latest", False),
        ("https://[", False),
    ],
)
def test_only_push_services_are_posted_to(endpoint: str, is_one: bool) -> None:
    services = ("fcm.googleapis.com", "notify.windows.com")
    assert is_service(endpoint, services) is is_one


# -------------------------------------------------------------------------------------------- CRM


def test_tasks_are_written_for_the_owner(ledger, ends, send_all) -> None:
    plan(ledger, Channel.CRM, [str(number) for number in range(1, 131)] + ["999", "nobody"])
    assert dict(send_all(Channel.CRM).messages) == {"accepted": 130, "rejected": 2}
    tasks = records(ends, "tasks")
    assert len(tasks) == 130
    assert {task["kreislauf_message_key"] for task in tasks} == {
        row.message_key for row in rows(ledger, message) if not row.outcome
    }
    assert {task["hubspot_owner_id"] for task in tasks} == {"71"}
    assert tasks[0]["hs_task_subject"] == "Ada anrufen"
    assert "Ada &lt;b&gt;<br>" in tasks[0]["hs_task_body"]
    assert tasks[0]["hs_timestamp"] == "2026-11-22T06:00:00.000Z"
    assert "Ada anrufen" in httpx.get(f"{ends.url}/crm/tasks").text


def test_who_is_not_in_the_crm_is_added(ledger, ends, send_all) -> None:
    people = ["c1@example.org", "new@example.org", "no address@", "2"]
    plan(ledger, Channel.CRM, people, batch_size=2)
    before = len(records(ends, "contacts"))
    assert dict(send_all(Channel.CRM).messages) == {"accepted": 3, "rejected": 1}
    assert len(records(ends, "contacts")) == before + 1, "the first was there, under its id"
    assert len(records(ends, "tasks")) == 3


@pytest.mark.parametrize("fault", [500, 200, "drop", "drop_after_accept"])
def test_a_task_in_doubt_settles_itself(ledger, ends, send_all, fault) -> None:
    plan(ledger, Channel.CRM, ["1", "2", "3"])
    ends.faults.add({"path": "/crm/crm/objects/2026-09/tasks/batch/create", "fault": fault, "times": 1})
    assert dict(send_all(Channel.CRM).messages) == {"planned": 3}
    later = utc_now() + timedelta(hours=1)
    assert dict(send_all(Channel.CRM, clock=lambda: later).messages) == {"accepted": 3}
    assert len(records(ends, "tasks")) == 3


def test_a_field_gets_its_value_and_a_wrong_value_is_its_own(ledger, ends, send_all) -> None:
    template = 'kind: field\nfield: numberoffollowers\nvalue: "{{ first_name }}"\n'
    template = template.replace("numberoffollowers", "followercount")
    plan(ledger, Channel.CRM, ["1", "2"], merge={"first_name": "12", "url": "https://x.example"})
    plan(ledger, Channel.CRM, ["3"], merge={"first_name": "many", "url": "https://x.example"})
    assert dict(send_all(Channel.CRM, template).messages) == {"accepted": 2, "rejected": 1}
    contacts = records(ends, "contacts")
    assert [contact.get("followercount") for contact in contacts[:3]] == ["12", "12", None]


# --------------------------------------------------------------------------------------- webhooks


def test_webhooks_are_signed_and_taken_once(ledger, ends, send_all) -> None:
    plan(ledger, Channel.WEBHOOK, ["c1", "c2", "c3"])
    ends.faults.add({"path": "/webhook/receive", "fault": "drop_after_accept", "times": 1})
    result = send_all(Channel.WEBHOOK)
    assert dict(result.messages) == {"accepted": 2, "planned": 1}
    later = utc_now() + timedelta(minutes=5)
    assert dict(send_all(Channel.WEBHOOK, clock=lambda: later).messages) == {"accepted": 1}
    received = inbox(ends, "webhook")
    assert len(received) == 3
    content = received[0]["content"]
    assert content["type"] == "flow.webhook"
    assert content["data"] == {"name": "Ada", "link": "https://shop.example/cart?id=1"}


def test_a_webhook_that_never_answers_is_in_doubt_at_last(ledger, ends, send_all) -> None:
    plan(ledger, Channel.WEBHOOK, ["c1"])
    ends.faults.add({"path": "/webhook/receive", "fault": 503})
    now = utc_now()
    for _ in range(8):
        now += timedelta(hours=1)
        send_all(Channel.WEBHOOK, clock=lambda moment=now: moment)
    assert states(ledger) == {"in_doubt": 1}
    assert ends.faults.listing()[0]["hits"] == 6


def test_a_receiver_that_is_down_is_asked_again_before_a_person_is(ledger, links, tmp_path: Path) -> None:
    write_template(tmp_path, Channel.WEBHOOK)
    plan(ledger, Channel.WEBHOOK, ["c1"])
    down = WebhookTransport(From("", "", "", ""), "http://127.0.0.1:9/", "secret")
    arguments = (ledger, down, Templates(tmp_path), "flow", "webhook", "me", links)
    assert dict(send(*arguments, sleep=lambda seconds: None).messages) == {"planned": 1}
    assert rows(ledger, batch)[0].not_before > utc_now()
    with ledger.write() as connection:
        connection.execute(update(batch).values(attempt=TRIES - 1, not_before=None))
    with pytest.raises(DeliveryError, match="cannot be reached"):
        send(*arguments)
    assert states(ledger) == {"planned": 1}


@pytest.mark.parametrize(("status", "state"), [(422, "rejected"), (410, "planned"), (401, "planned")])
def test_a_webhooks_refusal(ledger, ends, send_all, status: int, state: str) -> None:
    plan(ledger, Channel.WEBHOOK, ["c1", "c2"])
    ends.faults.add({"path": "/webhook/receive", "fault": status})
    if state == "planned":
        with pytest.raises(DeliveryError, match="refuses"):
            send_all(Channel.WEBHOOK)
    else:
        send_all(Channel.WEBHOOK)
    assert states(ledger) == {state: 2}


# ------------------------------------------------------------------------------------ our own ledger


def test_an_overlay_waits_for_its_visitor(ledger, ends, send_all) -> None:
    plan(ledger, Channel.ONSITE, ["v1", "v2"], expires_at=utc_now() + timedelta(days=1))
    assert dict(send_all(Channel.ONSITE).messages) == {"accepted": 2}
    found = rows(ledger, overlay)
    assert {row.visitor_id for row in found} == {"v1", "v2"}
    assert found[0].content["answers"] == ["ja", "nein"]
    assert (found[0].content["delay_seconds"], found[0].content["exit_intent"]) == (20, True)


def test_joining_and_leaving_an_audience(ledger, ends, send_all) -> None:
    plan(ledger, Channel.AUDIENCE, ["c1", "c2"])
    send_all(Channel.AUDIENCE)
    plan(ledger, Channel.AUDIENCE, ["c1"], occurrence_id="again")
    send_all(Channel.AUDIENCE)  # joined already
    assert len(rows(ledger, audience_member)) == 2
    plan(ledger, Channel.AUDIENCE, ["c1"], occurrence_id="out")
    with ledger.write() as connection:
        connection.execute(update(batch).where(batch.c.state == "planned").values(template="leave/vip"))
    send_all(Channel.AUDIENCE)
    assert {row.contact_id: bool(row.left_at) for row in rows(ledger, audience_member)} == {
        "contact-c1": True, "contact-c2": False
    }  # fmt: skip


def test_an_answer_that_comes_too_late_changes_nothing(ledger, ends, send_all) -> None:
    plan(ledger, Channel.AUDIENCE, ["c1"])
    first = batches.claim(ledger, "flow", "audience", "me", utc_now())
    batches.sweep(ledger, utc_now(), lease=timedelta(0))
    assert states(ledger) == {"planned": 1}  # nothing can be in doubt here: it is tried again
    batches.claim(ledger, "flow", "audience", "you", utc_now())
    effects = []
    verdict = batches.Verdict(batches.BatchState.ACCEPTED, effects=effects.append)
    batches.answer(ledger, first, verdict)
    assert effects == []


# --------------------------------------------------------------------------------------------- all


def test_a_template_of_another_channel_is_refused(ledger, ends, send_all, tmp_path: Path) -> None:
    plan(ledger, Channel.SMS, NUMBERS[:1])
    with ledger.write() as connection:
        connection.execute(update(batch).values(template="flow/webhook"))
    write_template(tmp_path / "templates", Channel.WEBHOOK)
    with pytest.raises(DeliveryError, match="is for webhook, but the step is sms"):
        send_all(Channel.SMS)
    assert states(ledger) == {"planned": 1}


@pytest.mark.parametrize("channel", ["sms", "crm", "webhook"])
def test_nothing_leaves_the_machine_without_the_switch(
    ledger, links, channel: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("KREISLAUF_PRODUCTION", raising=False)
    extra = {"from": "+1", "from_name": "Shop"}
    connection = Connection(channel, "http", "https://api.example.com", None, "AC1", "secret", extra=extra)
    with pytest.raises(SendingDisabled):
        WAYS[Channel(channel)].make(connection, ledger, links)


def test_secrets_are_in_no_repr(ledger, ends, links) -> None:
    for way in WAYS.values():
        if way.connection in (found := connections(ends)):
            connection = found[way.connection]
            assert connection.password
            assert connection.password not in repr(way.make(connection, ledger, links))
