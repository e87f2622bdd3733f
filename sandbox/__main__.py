"""Starts the sandbox. Prints one line of JSON when it listens; SIGTERM or Ctrl-C ends it."""

from __future__ import annotations

import argparse
import json
import socket
from pathlib import Path
from typing import Any

import uvicorn

from sandbox.app import Options, create_app
from sandbox.store import Store, parse
from sandbox.world import clock


def arguments(defaults: Options) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m sandbox", description=__doc__)
    parser.add_argument("--home", type=Path, required=True, help="folder for the sandbox's state")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen at")
    parser.add_argument("--port", type=int, default=0, help="0 picks a free one")
    parser.add_argument("--public-url", help="how others reach this sandbox; default http://HOST:PORT")
    world = parser.add_argument_group("world, used when the home folder is empty")
    world.add_argument("--seed", type=int, default=7)
    world.add_argument(
        "--start", type=parse, help="moment at which the history ends; default: today 06:00 UTC"
    )
    world.add_argument("--contacts", type=int, default=2000)
    world.add_argument("--days", type=int, default=180, help="length of the history")
    world.add_argument(
        "--retail", type=Path, help="Parquet file of invoice lines to serve as the shop instead"
    )
    parser.add_argument("--live", action="store_true", help="let the world's clock follow the real one")
    parser.add_argument("--site-inbox", help="folder that receives site events as NDJSON files")
    parser.add_argument(
        "--files-inbox", help="folder whose ad_spend, postal_returns, … receive files that people would drop"
    )
    parser.add_argument("--webhook", help="URL that receives mail events")
    parser.add_argument(
        "--site-backend",
        help="URL of the web app: browsers ask it for overlays, and subscribe to notifications",
    )
    parser.add_argument("--sms-answers", help="URL that receives the answers to texts, such as STOP")
    secrets = ("client-id", "client-secret", "crm-token", "mail-key", "sms-account", "sms-token")
    for name in (*secrets, "webhook-secret"):
        parser.add_argument(f"--{name}", default=getattr(defaults, name.replace("-", "_")))
    parser.add_argument("--token-life", type=float, default=defaults.token_life, help="seconds")
    parser.add_argument(
        "--shop-rate", type=int, help="cost points restored a second; default 100, with --retail 1000"
    )
    parser.add_argument("--shop-bucket", type=int, help="cost points at most; default 20 seconds' worth")
    return parser.parse_args()


class Server(uvicorn.Server):
    """A server that says when it is ready."""

    def __init__(self, config: uvicorn.Config, ready: dict[str, Any]) -> None:
        super().__init__(config)
        self.ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        print(json.dumps(self.ready), flush=True)


def main() -> None:
    defaults = Options()
    given = arguments(defaults)
    listener = socket.create_server((given.host, given.port), backlog=256)
    port = listener.getsockname()[1]
    url = given.public_url or f"http://{given.host}:{port}"
    store = Store(given.home, url)
    # A shop as big as the invoice lines' is on Shopify's largest plan.
    given.shop_rate = given.shop_rate or (1000 if given.retail else defaults.shop_rate)
    given.shop_bucket = given.shop_bucket or 20 * given.shop_rate
    options = Options(**{name: getattr(given, name) for name in Options.__dataclass_fields__})
    setting = clock.Setting(given.seed, given.start, given.contacts, given.days, given.retail)
    clock.begin(store, setting, options.outlets())
    config = uvicorn.Config(
        create_app(store, options), log_level="warning", access_log=False, ws="none", date_header=False
    )
    Server(config, {"url": url, "port": port, **options.credentials()}).run(sockets=[listener])


if __name__ == "__main__":
    main()
