from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

import httpx
import pytest

from sandbox.store import parse


def test_the_index_page_links_what_can_be_looked_at(sandbox):
    page = httpx.get(sandbox.url)
    assert page.status_code == 200
    for path in (
        "/mail/inbox",
        "/sms/inbox",
        "/push/inbox",
        "/crm/tasks",
        "/webhook/inbox",
        "/world",
        "/faults",
    ):
        assert f'href="{path}"' in page.text
        assert httpx.get(f"{sandbox.url}{path}").status_code == 200


def test_every_part_answers_below_its_own_path(sandbox):
    assert httpx.get(f"{sandbox.crm}/crm/objects/2026-09/contacts").status_code == 401
    assert httpx.post(f"{sandbox.mail}/v3/mail/send", json={}).status_code == 401
    assert httpx.get(f"{sandbox.shop}/").status_code == 200


@pytest.mark.parametrize("body", [b"", b"[]", b'{"until": "tomorrow"}', b'{"till": "2026-11-21"}'])
def test_a_clock_request_without_a_moment_is_refused(sandbox, body):
    before = sandbox.world["now"]
    assert httpx.post(f"{sandbox.url}/world/advance", content=body).status_code == 400
    assert sandbox.world["now"] == before


def test_a_killed_sandbox_goes_on_where_it_was(small):
    with small() as first:
        first.advance("2026-11-22T06:00:00Z")
        known = first.world
        first.kill()
    with small(seed=99, contacts=5) as second:
        assert second.world == known


def test_statuses_are_injected_as_often_as_asked(small):
    with small() as sandbox:
        url = f"{sandbox.crm}/crm/objects/2026-09/contacts"
        sandbox.fault("/crm", 429, times=2, skip=1, headers={"Retry-After": "1"})
        answers = [httpx.get(url) for _ in range(4)]
        assert [answer.status_code for answer in answers] == [401, 429, 429, 401]
        assert answers[1].headers["Retry-After"] == "1"
        sandbox.fault("/crm", 503)
        assert httpx.get(url).status_code == 503
        sandbox.clear_faults()
        assert httpx.get(url).status_code == 401


def test_a_dropped_request_is_not_carried_out_but_one_dropped_after_is(small):
    mail = {
        "personalizations": [{"to": [{"email": "anna@example.org"}]}],
        "from": {"email": "shop@example.com"},
        "subject": "Hello",
        "content": [{"type": "text/plain", "value": "Hello"}],
    }
    with small() as sandbox:

        def send() -> None:
            key = {"Authorization": f"Bearer {sandbox.mail_key}"}
            httpx.post(f"{sandbox.mail}/v3/mail/send", json=mail, headers=key).raise_for_status()

        for fault, expected in (("drop", 0), ("drop_after_accept", 1)):
            sandbox.fault("/mail/v3/mail/send", fault, times=1)
            with pytest.raises((httpx.RemoteProtocolError, httpx.ReadError)):
                send()
            assert sandbox.world["counts"]["messages"] == expected
        send()
        assert sandbox.world["counts"]["messages"] == 2


@pytest.mark.parametrize(
    "rule", [{"path": "/crm"}, {"path": "/", "fault": "explode"}, {"path": "/", "fault": 500, "x": 1}]
)
def test_a_fault_that_is_none_is_refused(sandbox, rule):
    response = httpx.post(f"{sandbox.url}/faults", json=rule)
    assert response.status_code == 400
    assert "fault" in response.json()["error"]


def test_a_wrong_file_of_invoice_lines_ends_the_start_with_a_reason(small, tmp_path):
    with (
        pytest.raises(RuntimeError, match=r"There is no file .*missing\.parquet"),
        small(retail=tmp_path / "missing.parquet"),
    ):
        pass


def test_two_sandboxes_may_start_in_one_folder_at_once(small):
    with ExitStack() as stack, ThreadPoolExecutor() as pool:
        starts = [pool.submit(stack.enter_context, small(contacts=200)) for _ in range(2)]
        first, second = (start.result() for start in starts)
        assert first.world == second.world
        first.advance("2026-11-22T06:00:00Z")
        assert second.world["now"] == "2026-11-22T06:00:00Z"


def test_a_live_world_follows_the_real_clock(small):
    with small(contacts=5, days=2, start="2026-11-01T06:00:00Z") as sandbox:
        httpx.post(f"{sandbox.url}/world/live").raise_for_status()
        deadline = time.monotonic() + 30
        while (now := parse(sandbox.world["now"])) < datetime.now(UTC) - timedelta(minutes=1):
            assert time.monotonic() < deadline, f"it is still {now} there"
            time.sleep(0.1)


def test_answers_are_dated_by_the_worlds_clock(sandbox):
    (date,) = httpx.get(f"{sandbox.url}/world").headers.get_list("date")
    assert parsedate_to_datetime(date) == datetime.fromisoformat(sandbox.world["now"])
