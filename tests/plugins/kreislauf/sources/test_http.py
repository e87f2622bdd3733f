from __future__ import annotations

import time
from datetime import UTC, datetime

import httpx
import pytest

from kreislauf.connections import Connection
from kreislauf.sources.errors import BadAnswer, Throttled, Unauthorized, Unavailable
from kreislauf.sources.http import Api, server_time

OK = (200, {}, b'{"a": 1}')


@pytest.fixture
def waits() -> list[float]:
    return []


@pytest.fixture
def api(waits):
    def api(url: str, **options) -> Api:
        connection = Connection("crm", "http", host=url, password="hunter2")
        headers = lambda: {"Authorization": f"Bearer {connection.secret()}"}  # ruff: ignore[lambda-assignment]
        return Api(connection, headers, sleep=waits.append, **options)

    return api


def test_an_answer(api, serve):
    server = serve(OK)
    assert api(server.url).json("GET", "/x", params={"p": "1"}) == {"a": 1}
    assert server.requests[0][:2] == ("GET", "/x?p=1")
    assert server.requests[0][2]["Authorization"] == "Bearer hunter2"


def test_errors_of_the_source_are_tried_again_with_growing_waits(api, serve, waits, caplog):
    server = serve((503, {}, b""), (500, {}, b""), (502, {}, b""), OK)
    assert api(server.url).json("GET", "/") == {"a": 1}
    assert len(waits) == 3
    assert waits == sorted(waits)
    assert [record.getMessage().partition(": ")[2][:8] for record in caplog.records] == [
        "HTTP 503", "HTTP 500", "HTTP 502"
    ]  # fmt: skip
    assert "trying again in" in caplog.text


@pytest.mark.parametrize(
    ("headers", "body", "at_least"),
    [
        ({"Retry-After": "7"}, b"", 7),
        (
            {"X-HubSpot-RateLimit-Interval-Milliseconds": "10000"},
            b'{"policyName": "TEN_SECONDLY_ROLLING"}',
            10,
        ),
        ({}, b'{"policyName": "SECONDLY"}', 1),
    ],
)
def test_a_throttle_is_obeyed(api, serve, waits, headers, body, at_least):
    server = serve((429, headers, body), OK)
    assert api(server.url).json("GET", "/") == {"a": 1}
    [wait] = waits
    assert at_least <= wait <= at_least * 1.25


def test_a_wait_beyond_our_patience_is_left_to_the_scheduler(api, serve, waits):
    server = serve((429, {}, b'{"policyName": "DAILY", "message": "You have reached your daily limit."}'))
    with pytest.raises(Throttled, match="daily limit"):
        api(server.url).json("GET", "/")
    assert waits == []


def test_patience_ends(serve):
    server = serve(*[(503, {}, b"")] * 50)
    api = Api(Connection("shop", "http", host=server.url), patience=1.0)
    began = time.monotonic()
    with pytest.raises(Unavailable, match=r"connection 'shop'.*HTTP 503"):
        api.json("GET", "/")
    assert time.monotonic() - began < 3
    assert len(server.requests) >= 2


@pytest.mark.parametrize("status", [401, 403])
def test_a_refusal_fails_at_once_and_names_the_connection(api, serve, waits, status):
    server = serve((status, {}, b'{"message": "The key is wrong."}'))
    with pytest.raises(Unauthorized, match=r"HTTP 40.\): The key is wrong; check .* 'crm'") as caught:
        api(server.url).json("GET", "/x?secret=1")
    assert "hunter2" not in str(caught.value)
    assert "secret" not in str(caught.value)
    assert waits == []


@pytest.mark.parametrize(
    "answer", [(400, {}, b"no"), (404, {}, b""), (302, {"Location": "/"}, b""), (200, {}, b"<html>")]
)
def test_what_cannot_be_an_answer_fails_at_once(api, serve, waits, answer):
    with pytest.raises(BadAnswer, match="connection 'crm', GET http://127"):
        api(serve(answer).url).json("GET", "/x")
    assert waits == []


def test_no_answer_is_tried_again(api, serve, waits):
    server = serve(OK)
    server.http.server_close()
    with pytest.raises(Unavailable, match="no complete answer"):
        api(server.url, patience=5.0).json("GET", "/")


def test_a_download_shows_no_key_and_is_tried_again_when_cut_off(api, serve, tmp_path, waits):
    whole = b"line\n" * 1000
    server = serve((200, {"Content-Length": str(len(whole))}, whole[:77]), (200, {}, whole))
    path = tmp_path / "file"
    api(server.url).download(f"{server.url}/file?signature=hunter3", path)
    assert path.read_bytes() == whole
    assert all("Authorization" not in headers for _, _, headers in server.requests)
    assert len(waits) == 1


def test_an_expired_download_does_not_show_its_signature(api, serve, tmp_path):
    server = serve((403, {}, b"<Error/>"))
    with pytest.raises(Unauthorized) as caught:
        api(server.url).download(f"{server.url}/file?signature=hunter3", tmp_path / "file")
    assert "hunter3" not in str(caught.value)


@pytest.mark.parametrize(
    ("given", "moment"),
    [
        ({"Date": "Sun, 22 Nov 2026 23:00:00 GMT"}, datetime(2026, 11, 22, 23, tzinfo=UTC)),
        ({"Date": "soon"}, None),
        ({"Date": "Fri, 99 Jan 2100 00:00:00 GMT"}, None),
        ({}, None),
    ],
)
def test_a_server_that_does_not_know_the_time_stops_nothing(given, moment):
    assert server_time(httpx.Response(200, headers=given)) == moment
