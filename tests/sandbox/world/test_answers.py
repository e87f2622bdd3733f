from __future__ import annotations

import gzip
import json
import threading
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx
import pytest

START = "2026-11-20T06:00:00Z"


@pytest.fixture
def public():
    """A small web server: `posts` is what was posted to it, by path; `status` what it answers."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            self.server.posts.append((self.path, body))
            self.send_response(self.server.status)
            self.end_headers()

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.posts, server.status = [], 204
    server.url = f"http://127.0.0.1:{server.server_port}"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def send(sandbox, public, addresses, batch="b-1", link=None):
    """A mail with a link, by default to the shop, and a way out to each address; `{n}` numbers the link."""
    link = link or (
        f"{sandbox.shop}/products/matcha-premium?utm_campaign=welcome&utm_content=button&discount=TEATIME15"
    )
    mail = {
        "personalizations": [
            {
                "to": [{"email": address}],
                "custom_args": {"mk": f"{batch}-{number}", "bk": batch},
                "substitutions": {"{n}": str(number)},
                "headers": {"List-Unsubscribe": f"<{public.url}/unsubscribe/{batch}-{number}>"},
            }
            for number, address in enumerate(addresses)
        ],
        "from": {"email": "shop@example.com"},
        "subject": "Hello",
        "content": [
            {"type": "text/plain", "value": "Hello"},
            {"type": "text/html", "value": f'<p>Hello <a href="{link}">Matcha</a></p>'},
        ],
    }
    key = {"Authorization": f"Bearer {sandbox.mail_key}"}
    httpx.post(f"{sandbox.mail}/v3/mail/send", json=mail, headers=key, timeout=60).raise_for_status()


@pytest.fixture
def addresses(ask):
    def read(sandbox):
        query = "{ customers(first: 200) { nodes { id defaultEmailAddress { emailAddress validFormat } } } }"
        found = [node["defaultEmailAddress"] for node in ask(sandbox, query)["data"]["customers"]["nodes"]]
        return [address["emailAddress"] for address in found if address["validFormat"]]

    return read


def test_people_answer_what_they_get(small, public, addresses, tmp_path):
    with small(contacts=320, webhook=f"{public.url}/events") as sandbox:
        receivers = addresses(sandbox)
        send(sandbox, public, receivers)
        assert public.posts == []
        orders = sandbox.world["counts"]["shop_orders"]
        done = sandbox.advance("2026-11-23T06:00:00Z")

        events = [event for path, body in public.posts if path == "/events" for event in json.loads(body)]
        kinds = Counter(
            event["event"] for event in {event["sg_event_id"]: event for event in events}.values()
        )
        assert kinds["processed"] == len(receivers)
        assert kinds["open"] > len(receivers) * 0.2
        assert 0 < kinds["click"] < kinds["open"]
        assert kinds["delivered"] + kinds["bounce"] >= len(receivers) * 0.95

        visits = []
        for path in (tmp_path / "inbox").glob("site-*-*T*.ndjson.gz"):
            visits += [json.loads(line) for line in gzip.decompress(path.read_bytes()).splitlines()]
        clicked = [event for event in visits if event["utm_campaign"] == "welcome"]
        assert Counter(event["type"] for event in clicked)["page_view"] == kinds["click"]
        assert all(event["utm_content"] == "button" for event in clicked)
        assert any(event["product_id"] for event in clicked)
        assert sandbox.world["counts"]["shop_orders"] > orders
        assert done["happened"]["click"] == kinds["click"]


def test_opting_out_presses_the_link_once_until_it_works(small, public, addresses):
    def pressed():
        return [path for path, body in public.posts if body == "List-Unsubscribe=One-Click"]

    with small(contacts=320, days=90) as sandbox:
        for batch in ("b-1", "b-2", "b-3"):
            send(sandbox, public, addresses(sandbox), batch)
        public.status = 503
        done = sandbox.advance("2026-11-25T06:00:00Z")
        assert done["opt_outs"] == 0
        tried = pressed()
        assert tried
        public.status = 204
        done = sandbox.advance("2026-11-25T06:00:00Z")
        assert done["opt_outs"] == len(tried)
        sandbox.advance("2026-11-25T06:00:00Z")
        assert sorted(pressed()) == sorted([*tried, *tried])


def test_who_opens_a_mail_that_asks_to_confirm_mostly_does(small, public, addresses):
    with small(contacts=320, days=90) as sandbox:
        receivers = addresses(sandbox)
        send(sandbox, public, receivers, link=f"{public.url}/confirm/{{n}}")
        done = sandbox.advance("2026-11-25T06:00:00Z")
        pressed = [path for path, body in public.posts if body == "" and path.startswith("/confirm/")]
        assert len(set(pressed)) == len(pressed) == done["confirmed"] > 0.2 * len(receivers)
        assert done["opt_outs"] < done["confirmed"]


def test_a_link_that_leads_out_of_this_machine_is_never_pressed(small, addresses):
    class Elsewhere:
        url = "https://shop.example"

    with small(contacts=320, days=90) as sandbox:
        send(sandbox, Elsewhere, addresses(sandbox))
        assert sandbox.advance("2026-11-25T06:00:00Z")["opt_outs"] == 0


def test_an_abandoned_cart_that_is_clicked_is_often_completed(small, public, ask):
    query = """{ abandonedCheckouts(first: 40, query: "status:open created_at:>'2026-11-15'") { nodes { id
        customer { defaultEmailAddress { emailAddress } } } } }"""
    look = "query($ids: [ID!]!) { nodes(ids: $ids) { ... on AbandonedCheckout { completedAt } } }"
    with small(contacts=320) as sandbox:
        checkouts = ask(sandbox, query)["data"]["abandonedCheckouts"]["nodes"]
        receivers = {c["customer"]["defaultEmailAddress"]["emailAddress"] for c in checkouts}
        for batch in ("b-1", "b-2", "b-3"):
            send(sandbox, public, sorted(receivers), batch)
        sandbox.advance("2026-11-23T06:00:00Z")
        after = ask(sandbox, look, ids=[checkout["id"] for checkout in checkouts])["data"]["nodes"]
        assert any(checkout["completedAt"] for checkout in after)
