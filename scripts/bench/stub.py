"""A mail provider that keeps each request's body and answers 202: `python -m scripts.bench.stub FILE`."""

from __future__ import annotations

import sys
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import BinaryIO


class Handler(BaseHTTPRequestHandler):
    """Answers every POST; bodies go to the server's file, each with its length before it."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        kept: BinaryIO = self.server.kept  # type: ignore[attr-defined]
        kept.write(len(body).to_bytes(8, "big") + body)
        kept.flush()
        self.send_response(202)
        self.send_header("X-Message-Id", "benchmark")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Nothing: a line a request would be part of what is measured."""


def main(path: Path) -> None:
    """Listen on a free port of loopback, print it, and serve until stopped."""
    server = HTTPServer(("127.0.0.1", 0), Handler)
    with path.open("wb") as kept:
        server.kept = kept  # type: ignore[attr-defined]
        print(server.server_port, flush=True)
        server.serve_forever()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
