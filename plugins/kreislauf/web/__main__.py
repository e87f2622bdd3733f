"""Run the web app: `python -m kreislauf.web --port 8082`.

Reads the connections `ledger`, `web` and `sendgrid` from the environment, and `sms` and `push` if they are
there; the landing zone from KREISLAUF_LANDING or KREISLAUF_HOME. Extra `origins` of `web`: those of the
site's pages, which may ask for overlays and subscribe to notifications.
"""

from __future__ import annotations

import argparse
import logging
import os
from typing import Any

import uvicorn

from kreislauf.connections import Connection
from kreislauf.delivery import push as web_push
from kreislauf.delivery.links import Links
from kreislauf.landing.zone import LandingZone
from kreislauf.ledger.store import Ledger
from kreislauf.places import home
from kreislauf.web.app import create_app
from kreislauf.web.key import find_verifier
from kreislauf.web.push import PushSettings


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m kreislauf.web", description="The public web app.")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8082)
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    logging.getLogger("alembic.runtime.plugins").setLevel(logging.WARNING)

    ledger = Ledger.open(Connection.from_env("ledger"))
    ledger.migrate()
    web = Connection.from_env("web")
    app = create_app(
        ledger,
        landing_zone().inbox("mail_events"),
        Links(web.url, web.secret()),
        find_verifier(Connection.from_env("sendgrid")),
        site_events_inbox=landing_zone().inbox("site_events"),
        origins=web.extra.get("origins") or (),
        sms_token=sms.secret() if (sms := _if_set("sms")) else None,
        push_settings=_push_settings(),
    )
    # The access log would hold unsubscribe links.
    uvicorn.run(app, host=arguments.host, port=arguments.port, access_log=False)


def _if_set(conn_id: str) -> Connection | None:
    """A connection that not everybody has: there is none, or it has no password."""
    if not os.environ.get(f"AIRFLOW_CONN_{conn_id.upper()}"):
        return None
    found = Connection.from_env(conn_id)
    return found if found.password else None


def _push_settings() -> PushSettings | None:
    if (push := _if_set("push")) is None:
        return None
    services = tuple(push.extra.get("services") or web_push.SERVICES)
    return PushSettings(web_push.public_key(push.secret()), services)


def landing_zone() -> LandingZone:
    """The landing zone, without Airflow."""
    url = os.environ.get("KREISLAUF_LANDING")
    if not url:
        return LandingZone(home() / "landing")
    from upath import UPath

    root: Any = UPath(url)
    return LandingZone(root)


if __name__ == "__main__":
    main()
