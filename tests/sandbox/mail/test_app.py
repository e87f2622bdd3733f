"""The provider accepts, refuses and answers as SendGrid documents it."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from datetime import datetime
from typing import Any

import httpx
import pytest
import sendgrid
from python_http_client.exceptions import BadRequestsError

from sandbox.mail.limits import Limits

SEND = "/v3/mail/send"
Build = Callable[..., dict[str, Any]]


def counts(mail: httpx.Client) -> dict[str, Any]:
    return mail.get("/counts.json").json()


def test_a_request_is_accepted_with_its_id_and_one_message_a_recipient(
    mail: httpx.Client, request_for: Build
) -> None:
    answer = mail.post(SEND, json=request_for("a@example.com", "b@example.com"))
    assert (answer.status_code, answer.content) == (202, b"")
    first, second = mail.get("/inbox.json").json()
    assert first["message_id"] == second["message_id"] == answer.headers["X-Message-Id"]
    assert (first["address"], first["subject"]) == ("a@example.com", "Hello Person & 0")
    assert first["custom_args"] == {"mk": f"{0:032x}", "bk": "7"}
    assert first["accepted_at"] == "2026-06-01T12:00:00Z"
    assert second["headers"]["List-Unsubscribe"] == "<https://web.example/unsubscribe/token1>"


def test_the_official_client_sends_and_reads_lists(mail: httpx.Client, request_for: Build) -> None:
    client = sendgrid.SendGridAPIClient("SG.a.key", host=str(mail.base_url).rstrip("/")).client
    answer = client.mail.send.post(request_body=request_for("a@example.com"))
    assert answer.status_code == 202
    assert answer.headers["X-Message-Id"]
    with pytest.raises(BadRequestsError) as refused:
        client.mail.send.post(request_body=request_for("not an address"))
    assert refused.value.to_dict["errors"][0]["field"] == "personalizations.0.to"
    assert client.suppression.bounces.get(query_params={"limit": 5}).to_dict == []


def test_one_bad_address_refuses_the_whole_request_and_names_each(
    mail: httpx.Client, request_for: Build
) -> None:
    answer = mail.post(SEND, json=request_for("a@example.com", "broken@", "c@example.com", "ü@example.com"))
    assert answer.status_code == 400
    assert [error["field"] for error in answer.json()["errors"]] == [
        "personalizations.1.to",
        "personalizations.3.to",
    ]
    assert answer.json()["errors"][0]["message"] == "Does not contain a valid address."
    assert answer.json()["errors"][0]["help"].endswith("#message.personalizations.to")
    assert counts(mail)["messages"] == 0


@pytest.mark.parametrize(
    "address",
    [
        "",
        "plain",
        "a@b",
        "a b@example.com",
        ".a@example.com",
        "a..b@example.com",
        "a@-x.com",
        "a@example.com>",
        None,
    ],
)
def test_invalid_addresses(mail: httpx.Client, request_for: Build, address: Any) -> None:
    assert mail.post(SEND, json=request_for(address)).status_code == 400


@pytest.mark.parametrize("address", ["a.b+c@example.com", "O'Neil@example.co.uk", "x_1@sub.example"])
def test_valid_addresses(mail: httpx.Client, request_for: Build, address: str) -> None:
    assert mail.post(SEND, json=request_for(address)).status_code == 202


def test_an_address_twice_in_a_request_is_refused_whatever_its_case(
    mail: httpx.Client, request_for: Build
) -> None:
    answer = mail.post(SEND, json=request_for("a@example.com", "A@Example.com"))
    assert [error["field"] for error in answer.json()["errors"]] == ["personalizations.1.to"]


def changed(field: str, value: Any) -> Callable[[dict[str, Any]], None]:
    def change(payload: dict[str, Any]) -> None:
        target: Any = payload
        *path, last = [int(part) if part.isdigit() else part for part in field.split(".")]
        for part in path:
            target = target[part]
        if value is None:
            del target[last]
        else:
            target[last] = value

    return change


@pytest.mark.parametrize(
    ("change", "field"),
    [
        (changed("personalizations", None), "personalizations"),
        (changed("personalizations", []), "personalizations"),
        (changed("personalizations.0.to", None), "personalizations.0.to"),
        (changed("from", None), "from.email"),
        (changed("from", {"email": "nobody"}), "from.email"),
        (changed("reply_to", {"email": "nobody"}), "reply_to.email"),
        (changed("subject", None), "subject"),
        (changed("subject", ""), "subject"),
        (changed("content", None), "content"),
        (changed("content", []), "content"),
        (changed("content.0.value", ""), "content.0.value"),
        (changed("content.0.type", "text/plain; charset=utf-8"), "content.0.type"),
        (changed("template_id", "d-unknown"), "template_id"),
        (changed("categories", [str(n) for n in range(11)]), "categories"),
        (changed("categories", ["x" * 256]), "categories"),
        (changed("categories", ["a", "a"]), "categories"),
        (changed("categories", ["Grüße"]), "categories"),
        (changed("custom_args", {"n": 1}), "custom_args"),
        (changed("custom_args", {"n": "x" * 10_001}), "personalizations.0.custom_args"),
        (changed("personalizations.0.custom_args", {"n": "x" * 9_999}), "personalizations.0.custom_args"),
        (changed("personalizations.0.substitutions", {"%x%": 1}), "personalizations.0.substitutions"),
        (
            changed("personalizations.0.substitutions", {"%x%": "ü" * 5_000}),
            "personalizations.0.substitutions",
        ),
        (changed("headers", {"Subject": "x"}), "headers"),
        (changed("personalizations.0.headers", {"reply-to": "x"}), "personalizations.0.headers"),
        (changed("headers", {"X Y": "x"}), "headers"),
        (changed("send_at", "soon"), "send_at"),
        (changed("send_at", 4_000_000_000), "send_at"),
        (changed("batch_id", "unknown"), "batch_id"),
        (changed("asm", {"group_id": "x"}), "asm.group_id"),
        (changed("attachments", [{"content": "not base64!", "filename": "x"}]), "attachments.0.content"),
        (
            changed("tracking_settings", {"open_tracking": {"enable": "yes"}}),
            "tracking_settings.open_tracking.enable",
        ),
    ],
)
def test_what_sendgrid_refuses_is_refused_by_field(
    mail: httpx.Client, request_for: Build, change: Callable[[dict[str, Any]], None], field: str
) -> None:
    payload = request_for("a@example.com")
    change(payload)
    answer = mail.post(SEND, json=payload)
    assert answer.status_code == 400, answer.text
    assert [error["field"] for error in answer.json()["errors"]] == [field]
    assert counts(mail)["requests"] == 0


def test_text_must_stand_before_html(mail: httpx.Client, request_for: Build) -> None:
    payload = request_for("a@example.com")
    payload["content"].reverse()
    assert "text/plain needs to be first" in mail.post(SEND, json=payload).json()["errors"][0]["message"]


def test_a_thousand_personalizations_and_no_more(mail: httpx.Client, request_for: Build) -> None:
    addresses = [f"p{number}@example.com" for number in range(1001)]
    refused = mail.post(SEND, json=request_for(*addresses))
    assert refused.status_code == 400
    assert "limited to 1000 personalizations" in refused.json()["errors"][0]["message"]
    assert mail.post(SEND, json=request_for(*addresses[:1000])).status_code == 202
    assert counts(mail)["messages"] == 1000


def test_recipients_in_copy_count_towards_the_thousand(mail: httpx.Client, request_for: Build) -> None:
    payload = request_for(*[f"p{number}@example.com" for number in range(999)])
    payload["personalizations"][0]["cc"] = [{"email": "c1@example.com"}, {"email": "c2@example.com"}]
    assert "1000 total recipients" in mail.post(SEND, json=payload).text


def test_sandbox_mode_validates_and_keeps_nothing(mail: httpx.Client, request_for: Build) -> None:
    settings = {"sandbox_mode": {"enable": True}}
    answer = mail.post(SEND, json=request_for("a@example.com", mail_settings=settings))
    assert answer.status_code == 200
    assert "X-Message-Id" not in answer.headers
    assert mail.post(SEND, json=request_for("broken", mail_settings=settings)).status_code == 400
    assert counts(mail)["requests"] == 0


@pytest.mark.parametrize("header", [{}, {"Authorization": "Bearer SG.other"}])
def test_a_wrong_key_is_refused(mail: httpx.Client, request_for: Build, header: dict[str, str]) -> None:
    answer = httpx.post(mail.base_url.join(SEND), json=request_for("a@example.com"), headers=header)
    assert answer.status_code == 401
    assert "authorization grant is invalid" in answer.json()["errors"][0]["message"]


def test_a_request_over_thirty_megabytes_is_too_large(mail: httpx.Client, request_for: Build) -> None:
    payload = request_for("a@example.com")
    payload["content"][1]["value"] = "x" * (30 * 1024 * 1024)
    assert mail.post(SEND, json=payload).status_code == 413


def test_what_is_no_json_is_a_bad_request(mail: httpx.Client) -> None:
    headers = {"Content-Type": "application/json"}
    assert mail.post(SEND, content=b"{", headers=headers).status_code == 400
    assert mail.post(SEND, content=b"[]", headers=headers).status_code == 400
    assert mail.post(SEND, content=b"{}", headers={"Content-Type": "text/plain"}).status_code == 415


def test_unknown_paths_and_methods_answer_in_the_providers_shape(mail: httpx.Client) -> None:
    assert (mail.get("/v3/nothing").status_code, mail.get(SEND).status_code) == (404, 405)
    assert mail.get(SEND).json()["errors"][0]["message"] == "method not allowed"


class TestUnverifiedSender:
    @pytest.fixture
    def options(self) -> dict[str, Any]:
        return {"verified_domains": frozenset({"example.org"})}

    def test_is_forbidden(self, mail: httpx.Client, request_for: Build) -> None:
        answer = mail.post(SEND, json=request_for("a@example.com"))
        assert (answer.status_code, answer.json()["errors"][0]["field"]) == (403, "from")
        sender = {"email": "shop@example.org"}
        assert mail.post(SEND, json=request_for("a@example.com", **{"from": sender})).status_code == 202


class TestRateLimits:
    @pytest.fixture
    def options(self) -> dict[str, Any]:
        return {"limits": Limits(sends=3, send_seconds=3600, others=2, other_seconds=3600)}

    def test_say_how_much_is_left_and_when_it_is_reset(self, mail: httpx.Client, request_for: Build) -> None:
        answers = [mail.post(SEND, json=request_for(f"p{n}@example.com")) for n in range(4)]
        assert [answer.status_code for answer in answers] == [202, 202, 202, 429]
        assert [answer.headers["X-RateLimit-Remaining"] for answer in answers] == ["2", "1", "0", "0"]
        assert int(answers[3].headers["X-RateLimit-Reset"]) > time.time() - 1
        assert answers[3].json() == {
            "errors": [{"message": "too many requests", "field": None, "help": None}]
        }
        assert counts(mail)["messages"] == 3
        lists = [mail.get("/v3/suppression/bounces").status_code for _ in range(3)]
        assert lists == [200, 200, 429], "other endpoints have a limit of their own"


def test_scheduled_batches_are_cancelled_by_their_id(mail: httpx.Client, request_for: Build) -> None:
    batch_id = mail.post("/v3/mail/batch").json()["batch_id"]
    assert mail.get(f"/v3/mail/batch/{batch_id}").json() == {"batch_id": batch_id}
    assert mail.get("/v3/mail/batch/unknown").status_code == 400
    payload = request_for("a@example.com", batch_id=batch_id, send_at=int(datetime(2026, 6, 2).timestamp()))
    assert mail.post(SEND, json=payload).status_code == 202
    sends = "/v3/user/scheduled_sends"
    status = {"batch_id": batch_id, "status": "cancel"}
    assert mail.post(sends, json=status).status_code == 201
    assert mail.post(sends, json=status).status_code == 400, "it has a status already"
    assert mail.get(sends).json() == mail.get(f"{sends}/{batch_id}").json() == [status]
    assert mail.patch(f"{sends}/{batch_id}", json={"status": "pause"}).status_code == 204
    assert mail.patch(f"{sends}/{batch_id}", json={"status": "burn"}).status_code == 400
    assert mail.delete(f"{sends}/{batch_id}").status_code == 204
    assert mail.get(sends).json() == []


def test_at_most_ten_batches_are_held_back_at_a_time(mail: httpx.Client, request_for: Build) -> None:
    send_at = int(datetime(2026, 6, 2).timestamp())
    answers = []
    for number in range(11):
        batch_id = mail.post("/v3/mail/batch").json()["batch_id"]
        mail.post(SEND, json=request_for(f"p{number}@example.com", batch_id=batch_id, send_at=send_at))
        answers.append(mail.post("/v3/user/scheduled_sends", json={"batch_id": batch_id, "status": "pause"}))
    assert [answer.status_code for answer in answers] == [201] * 10 + [400]


def test_the_inbox_shows_the_mail_as_its_reader_sees_it(mail: httpx.Client, request_for: Build) -> None:
    mail.post(SEND, json=request_for("a@example.com", "b@example.com", subject="Hello <b>%t_name%</b>"))
    page = mail.get("/inbox", params={"q": "b@example.com"})
    assert "Hello &lt;b&gt;Person &amp; 1&lt;/b&gt;" in page.text
    assert "a@example.com" not in page.text
    assert "2 mails found" in mail.get("/inbox", params={"q": "welcome"}).text, "a category is found"
    message = mail.get("/inbox.json", params={"address": "B@example.com"}).json()[0]
    detail = mail.get(f"/inbox/{message['id']}").text
    assert "Dear Person &amp; 1" in detail
    assert "List-Unsubscribe-Post" in detail
    body = mail.get(f"/inbox/{message['id']}/html")
    assert "https://shop.example/cart/1" in body.text
    assert body.headers["Content-Security-Policy"].startswith("sandbox ")
    assert mail.get("/inbox/999").status_code == 404
    assert mail.get("/inbox", params={"page": "0", "state": "nonsense", "q": "%"}).status_code == 200


def test_keys_sent_twice_are_counted(mail: httpx.Client, request_for: Build) -> None:
    mail.post(SEND, json=request_for("a@example.com"))
    assert counts(mail)["duplicates"] == 0
    mail.post(SEND, json=request_for("a@example.com"))
    assert (counts(mail)["duplicates"], counts(mail)["requests"]) == (1, 2)
    assert len(mail.get("/inbox.json", params={"mk": f"{0:032x}"}).json()) == 2


def test_a_thousand_mails_are_accepted_quickly(mail: httpx.Client, request_for: Build) -> None:
    """150 ms on an idle machine; the bound here is wide for a busy one."""
    payload = request_for(*[f"p{number}@example.com" for number in range(1000)])
    payload["content"][1]["value"] += "<p>padding</p>" * 3000
    body = json.dumps(payload).encode()
    started = time.perf_counter()
    assert mail.post(SEND, content=body, headers={"Content-Type": "application/json"}).status_code == 202
    assert time.perf_counter() - started < 1.0
