from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from scripts.airflow_api import AirflowApi, RunFailed


@pytest.fixture
def airflow():
    """Gives its `answers` in turn: a status, or None for a connection that breaks. Keeps the `asked`."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            server.asked.append(body)
            status = server.answers.pop(0)
            if status is None:
                self.connection.close()
                return
            self.send_response(status)
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"{}")

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.answers, server.asked = [], []
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def test_a_start_that_was_not_answered_is_asked_again_and_counts_once(airflow):
    airflow.answers = [None, 409]  # it was made, and its answer lost
    api = AirflowApi(f"http://127.0.0.1:{airflow.server_port}", "", "")
    run_id = api.trigger("send_due", {})
    assert len(airflow.asked) == 2
    assert airflow.asked[0] == airflow.asked[1]
    assert run_id.encode() in airflow.asked[0]


def test_a_start_that_is_refused_says_why(airflow):
    airflow.answers = [404]
    with pytest.raises(RunFailed, match="no_such could not be started"):
        AirflowApi(f"http://127.0.0.1:{airflow.server_port}", "", "").trigger("no_such", {})
