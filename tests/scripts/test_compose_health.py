"""A part of Airflow is healthy when the API server has heard its heartbeat."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from urllib.error import URLError

import pytest

from scripts.compose_health import main


@pytest.fixture
def url():
    parts = {
        "metadatabase": {"status": "healthy"},
        "scheduler": {"status": "unhealthy", "latest_scheduler_heartbeat": None},
        "triggerer": {"status": None, "latest_triggerer_heartbeat": None},
    }

    class Health(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200 if self.path == "/api/v2/monitor/health" else 404)
            self.end_headers()
            self.wfile.write(json.dumps(parts).encode())

        def log_message(self, *_) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Health)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize(("part", "code"), [("metadatabase", 0), ("scheduler", 1), ("triggerer", 1)])
def test_exit_code(url: str, part: str, code: int) -> None:
    assert main(part, url) == code


def test_an_api_server_that_is_down_is_no_health(url: str) -> None:
    with pytest.raises(URLError):
        main("scheduler", "http://127.0.0.1:9")
