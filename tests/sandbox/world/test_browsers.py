"""What browsers do by themselves: subscribe, ask for overlays, report."""

from __future__ import annotations

import json
import threading
from collections import Counter
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from sandbox import posted
from sandbox.store import Store, parse
from sandbox.world import browsers, clock

START = parse("2026-11-20T06:00:00Z")
OVERLAY = {"kind": "survey", "question": "What for?", "answers": ["Me", "A friend"]}


@pytest.fixture
def backend():
    """A site's backend: `posts` is what was posted, `offered` what all are offered, `status` the answer."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            if self.path == "/push/key":
                self._answer({"applicationServerKey": "BKey"})
                return
            visitor = self.path.rpartition("/")[2]
            self._answer([{**one, "token": f"{visitor}.{one['kind']}"} for one in self.server.offered])

        def do_POST(self):
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            self.server.posts.append((self.path, json.loads(body or b"null")))
            self._answer({})

        def _answer(self, content):
            self.send_response(self.server.status)
            self.end_headers()
            self.wfile.write(json.dumps(content).encode())

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.posts, server.offered, server.status = [], [], 200
    server.url = f"http://127.0.0.1:{server.server_port}"
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def world(tmp_path) -> Store:
    store = Store(tmp_path, "http://127.0.0.1:9")
    clock.begin(store, clock.Setting(seed=7, start=START, contacts=150, days=60))
    return store


def advance(store: Store, days: float, backend) -> dict:
    return clock.advance(store, START + timedelta(days=days), clock.Outlets(backend=backend.url))["browsers"]


def test_browsers_that_may_notify_subscribe_once(world, backend):
    backend.status = 503
    assert advance(world, 0, backend)["subscribed"] == 0
    backend.status = 200
    done = advance(world, 0, backend)
    assert done["subscribed"] == len(backend.posts) > 3
    for path, given in backend.posts:
        assert path == "/push/subscriptions"
        assert given["endpoint"].startswith("http://127.0.0.1:9/push/send/")
        assert given["keys"].keys() == {"p256dh", "auth"}
        assert given["visitor_id"].startswith("v-")
        assert given["language"] in {"de", "en"}
    assert advance(world, 0, backend)["subscribed"] == 0


def test_a_backend_that_is_down_is_asked_again(world, backend):
    clock.advance(world, START + timedelta(days=2), clock.Outlets(backend="http://127.0.0.1:9"))
    assert advance(world, 2, backend)["asked"] > 10
    assert advance(world, 2, backend)["asked"] == 0


def test_who_was_on_the_site_sees_overlays_and_some_answer(world, backend):
    backend.offered = [OVERLAY, {"kind": "newsletter"}, {"kind": "content", "url": "https://shop.example/x"}]
    done = advance(world, 3, backend)
    assert done["shown"] == 3 * done["asked"]
    did = Counter(path.rpartition("/")[2] for path, _ in backend.posts if path.startswith("/overlays/"))
    assert did["shown"] == done["shown"]
    assert did["answer"] + did["clicked"] == done["answered"] > 5
    assert did["closed"] > 5
    answers = [given for path, given in backend.posts if path.endswith("/answer")]
    assert {given["answer"] for given in answers if "answer" in given} == set(OVERLAY["answers"])
    assert all("@" in given["email"] for given in answers if "email" in given)
    assert any("email" in given for given in answers)
    followed = clock.advance(world, START + timedelta(days=4))["happened"]
    assert 0 < followed["click"] <= did["clicked"], "only people of the world go on with it"


def test_notifications_and_texts_are_followed(world, backend):
    advance(world, 0, backend)
    now = int(START.timestamp())
    with world.write() as db:
        ids = [row["browser_id"] for row in db.execute("select browser_id from world_browsers")]
        numbers = [
            row["phone"] for row in db.execute("select phone from shop_customers where sms_updated_at")
        ]
        for number, one in enumerate(ids * 20):
            content = {
                "beacon": f"{backend.url}/push/{number}",
                "url": "https://shop.example/products/kukicha",
            }
            posted.put(db, "push", now, one, f"{number:032x}", content)
        for number, one in enumerate(numbers * 20):
            posted.put(
                db, "sms", now, one, f"{number:032x}", {"body": "Look: https://shop.example/products/x"}
            )
    backend.posts.clear()
    done = clock.advance(world, START + timedelta(days=1), clock.Outlets())
    again = clock.advance(world, START + timedelta(days=1), clock.Outlets())
    did = Counter(path.rpartition("/")[2] for path, _ in backend.posts)
    assert done["browsers"]["beacons"] == len(backend.posts)
    assert again["browsers"]["beacons"] == 0
    assert did["shown"] == pytest.approx(browsers.SHOWN * 20 * len(ids), rel=0.1)
    assert 0 < did["clicked"] < did["shown"]
    assert 0 < did["closed"] < did["shown"]
    assert done["happened"]["click"] > did["clicked"]
