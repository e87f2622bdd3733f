"""What happens to an accepted mail: delivered or not, opened, clicked, complained about, left.

Everything about a message is decided at once, when the world's clock first passes its sending, from
a hash of the seed and the message's key: the same world reacts the same way, in whatever steps its
clock is moved. What lies ahead of the clock is stored and becomes visible when its time has come.
"""

from __future__ import annotations

import hashlib
import json
import random
import sqlite3
from base64 import urlsafe_b64encode
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from sandbox.mail import suppressions
from sandbox.mail.messages import Link, links, unsubscribe_url

ASYNCHRONOUS_SHARE = 0.125
"""Of the hard bounces, how many are reported by the other server hours after it took the mail."""

SOFT_RECOVERY_SHARE = 0.4
"""Of the soft bounces, how many get through at a later attempt."""

FOLLOWED = {"/confirm/": 0.85, "/ambassadors": 0.4}
"""Of those who open a mail with a link to such a page, how many follow it: they have just asked for it, or
were chosen for it."""

DUPLICATE_SHARE = 0.05
DELAYED_SHARE = 0.04

_CANCEL_SECONDS = 600  # a cancellation later than ten minutes before the sending comes too late
_PAUSE_EXPIRES_SECONDS = 72 * 3600

_BROWSERS = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 19_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko)",
    "Mozilla/5.0 (X11; Linux x86_64; rv:144.0) Gecko/20100101 Firefox/144.0",
)
_MACHINE = "Mozilla/5.0"


@dataclass(frozen=True)
class Temperament:
    """How a person, or their address, takes mail.

    `open_rate` and `complaint_rate` are shares of the delivered mails, `click_rate` and
    `opt_out_rate` of the opened ones. `bounce`: "hard", "soft" or None. `machine_opens`: their
    mail program loads pictures unasked. `patience`: the mean time until they open a mail.
    """

    open_rate: float
    click_rate: float
    complaint_rate: float
    opt_out_rate: float
    bounce: str | None
    machine_opens: bool
    patience: timedelta


@dataclass(frozen=True)
class Visit:
    """A person follows a link out of a mail. `kind` is "click" or "opt_out"; `message_key` the mail's mk."""

    address: str
    at: datetime
    url: str
    kind: str
    message_key: str | None


def react(
    db: sqlite3.Connection, seed: int, until: datetime, temperament: Callable[[str], Temperament]
) -> list[Visit]:
    """Let every mail that is due by `until` be answered, and return the visits made by then.

    A visit is returned once. The caller owns the transaction: if it is rolled back nothing has
    happened. Opting out by the sender's own link is a visit; whoever uses the provider's (asm,
    subscription tracking) goes straight onto its list.
    """
    limit = int(until.timestamp())
    due = db.execute(
        "select * from mail_message where state = 'accepted' and send_at <= ? order by send_at, id", (limit,)
    ).fetchall()
    request: sqlite3.Row | None = None
    for message in due:
        if request is None or request["id"] != message["request_id"]:
            request = db.execute(
                "select r.*, b.status, b.status_since from mail_request r"
                " left join mail_batch b on b.id = r.batch_id where r.id = ?",
                (message["request_id"],),
            ).fetchone()
        held = _held_back(request, message["send_at"], limit)
        if held == "pause":
            continue
        state = "cancelled" if held else _Answer(db, seed, request, message).happen(temperament)
        db.execute("update mail_message set state = ? where id = ?", (state, message["id"]))
    return _visits(db, limit)


def _held_back(request: sqlite3.Row, send_at: int, limit: int) -> str | None:
    """Whether a scheduled message is cancelled or paused in time; a pause of 72 hours cancels it."""
    if send_at <= request["accepted_at"] or not request["status"]:
        return None
    if request["status_since"] > send_at - _CANCEL_SECONDS:
        return None
    if request["status"] == "pause" and limit > send_at + _PAUSE_EXPIRES_SECONDS:
        return "cancel"
    return request["status"]


def _visits(db: sqlite3.Connection, limit: int) -> list[Visit]:
    rows = db.execute(
        "select v.id, v.occurred_at, v.kind, v.url, m.address, m.message_key from mail_visit v"
        " join mail_message m on m.id = v.message_id"
        " where v.made = 0 and v.occurred_at <= ? order by v.occurred_at, v.id",
        (limit,),
    ).fetchall()
    db.executemany("update mail_visit set made = 1 where id = ?", [(row["id"],) for row in rows])
    return [
        Visit(
            row["address"],
            datetime.fromtimestamp(row["occurred_at"], UTC),
            row["url"],
            row["kind"],
            row["message_key"],
        )
        for row in rows
    ]


def is_confirmation(url: str) -> bool:
    """Whether a link leads to a page that confirms an address."""
    return urlsplit(url).path.startswith("/confirm/")


class _Answer:
    """Decides about one message and writes it down."""

    def __init__(self, db: sqlite3.Connection, seed: int, request: sqlite3.Row, message: sqlite3.Row) -> None:
        key = message["message_key"] or f"{message['address'].lower()}|{message['subject']}"
        self.db = db
        self.html = request["html"]
        self.message = message
        self.random = random.Random(f"{seed}|{key}")
        settings = json.loads(request["settings"])
        self.group_id = settings["asm"].get("group_id")
        self.tracking = settings["tracking_settings"]
        self.count = 0

    def happen(self, temperament: Callable[[str], Temperament]) -> str:
        """Decide everything; returns the message's state, sent or dropped."""
        at = self.message["send_at"]
        if reason := suppressions.drop_reason(self.db, self.message["address"], at, self.group_id):
            self.event(at + self.random.randint(1, 5), "dropped", reason=reason, status="5.0.0")
            return "dropped"
        at += self.random.randint(1, 8)
        self.event(at, "processed")
        person = temperament(self.message["address"])
        if person.bounce == "hard":
            self.bounce_hard(at)
        elif person.bounce == "soft":
            self.bounce_softly(at)
        else:
            self.arrive(at + self.random.randint(1, 45), person)
        return "sent"

    def bounce_hard(self, at: int) -> None:
        reason = "550 5.1.1 The email account that you tried to reach does not exist."
        refusal = {
            "reason": reason,
            "status": "5.1.1",
            "type": "bounce",
            "bounce_classification": "Invalid Address",
        }
        if self.random.random() < ASYNCHRONOUS_SHARE:
            self.delivered(at + self.random.randint(1, 40))
            at += self.random.randint(3600, 20 * 3600)
            # The other server's report names the address and nothing we sent along.
            self.store(at, {"event": "bounce", **refusal})
        else:
            at += self.random.randint(2, 45)
            self.event(at, "bounce", ip=self.ip(), tls=1, **refusal)
        suppressions.add(self.db, "bounces", self.message["address"], at, reason, "5.1.1")

    def bounce_softly(self, at: int) -> None:
        response = "452 4.2.2 The email account that you tried to reach is over quota."
        for attempt in range(1, self.random.randint(1, 3) + 1):
            at += self.random.randint(20, 120) * 10 ** (attempt - 1)
            self.event(at, "deferred", response=response, attempt=str(attempt), ip=self.ip(), tls=1)
        at += self.random.randint(600, 7200)
        if self.random.random() < SOFT_RECOVERY_SHARE:
            self.delivered(at)
            return
        self.event(
            at,
            "bounce",
            reason=response,
            status="4.2.2",
            type="blocked",
            ip=self.ip(),
            tls=1,
            bounce_classification="Mailbox Unavailable",
        )
        suppressions.add(self.db, "blocks", self.message["address"], at, response, "4.2.2")

    def arrive(self, at: int, person: Temperament) -> None:
        self.delivered(at)
        if person.machine_opens:
            self.opened(at + self.random.randint(1, 30), by_machine=True)
        complains = self.random.random() < person.complaint_rate
        opens = self.random.random() < person.open_rate
        read_at = at + 20 + int(self.random.expovariate(1 / max(person.patience.total_seconds(), 1)))
        if complains:
            at = read_at + self.random.randint(5, 120)
            self.event(at, "spamreport", ip=self.ip())
            suppressions.add(self.db, "spam_reports", self.message["address"], at)
        if not opens:
            return
        self.opened(read_at)
        if self.random.random() < max((rate for rate, _ in self.promises()), default=person.click_rate):
            self.click(read_at + self.random.randint(3, 240))
        if self.random.random() < 0.25:  # some look at a mail again
            self.opened(read_at + self.random.randint(3600, 40 * 3600))
        if self.random.random() < person.opt_out_rate:
            self.opt_out(read_at + self.random.randint(10, 300))

    def delivered(self, at: int) -> None:
        self.event(at, "delivered", response="250 2.0.0 OK", ip=self.ip(), tls=1)

    def opened(self, at: int, *, by_machine: bool = False) -> None:
        agent = _MACHINE if by_machine else self.random.choice(_BROWSERS)
        if self.is_on("open_tracking"):
            self.event(
                at, "open", useragent=agent, ip=self.ip(), sg_machine_open=by_machine, sg_content_type="html"
            )

    def click(self, at: int) -> None:
        every, own = self.ways()
        choice = [
            link
            for link in every
            if link.url.startswith(("http://", "https://"))
            and link.url != own
            and "unsubscribe" not in link.url
        ]
        if not choice:
            return
        choice = [link for _, link in self.promises()] or choice
        # The further up a link stands, the more often it is clicked.
        weights = [1 / (1 + 0.3 * place) for place in range(len(choice))]
        link = self.random.choices(choice, weights)[0]
        self.visit(at, "click", link.url)
        if self.is_on("click_tracking"):
            self.clicked(at, link)

    def clicked(self, at: int, link: Link) -> None:
        self.event(
            at,
            "click",
            url=link.url,
            url_offset={"index": link.index, "type": "html"},
            useragent=self.random.choice(_BROWSERS),
            ip=self.ip(),
        )

    def opt_out(self, at: int) -> None:
        _, own = self.ways()
        prefers_provider = self.random.random() < 0.2
        if own and not (self.group_id and prefers_provider):
            self.visit(at, "opt_out", own)
        elif self.group_id:
            self.event(
                at, "group_unsubscribe", useragent=_BROWSERS[0], ip=self.ip(), asm_group_id=self.group_id
            )
            suppressions.add(self.db, suppressions.group_list(self.group_id), self.message["address"], at)
        elif self.is_on("subscription_tracking", default=False):
            self.event(at, "unsubscribe")
            suppressions.add(self.db, "unsubscribes", self.message["address"], at)

    def promises(self) -> list[tuple[float, Link]]:
        """The links that most people follow, and how many do."""
        every = [(urlsplit(link.url).path, link) for link in self.ways()[0]]
        return [
            (rate, link) for path, link in every for page, rate in FOLLOWED.items() if path.startswith(page)
        ]

    def is_on(self, tracking: str, default: bool = True) -> bool:
        return self.tracking.get(tracking, {}).get("enable", default)

    def ways(self) -> tuple[list[Link], str | None]:
        """The mail's links, and the sender's own way out of further mails."""
        every = links(self.html, json.loads(self.message["substitutions"]))
        return every, unsubscribe_url(json.loads(self.message["headers"]), every)

    def ip(self) -> str:
        """An address of the ranges kept for documentation."""
        network = self.random.choice(("192.0.2", "198.51.100", "203.0.113"))
        return f"{network}.{self.random.randint(1, 254)}"

    def visit(self, at: int, kind: str, url: str) -> None:
        self.db.execute(
            "insert into mail_visit (message_id, occurred_at, kind, url) values (?, ?, ?, ?)",
            (self.message["id"], at, kind, url),
        )

    def event(self, at: int, name: str, **fields: Any) -> None:
        """An event with all that came with the message: custom arguments, categories, message ids."""
        request_id, position = self.message["request_id"], self.message["position"]
        self.store(
            at,
            {
                **json.loads(self.message["custom_args"]),
                "event": name,
                "category": json.loads(self.message["categories"]),
                "sg_message_id": f"{request_id}.recvd-{position:04d}-0",
                "smtp-id": f"<{request_id}@geopod-ismtpd-0>",
                **fields,
            },
        )

    def store(self, at: int, body: dict[str, Any]) -> None:
        """Keep an event for the webhook: most are posted once and soon, some late, some repeatedly."""
        self.count += 1
        message = self.message
        digest = hashlib.sha256(f"{message['request_id']}|{message['id']}|{self.count}".encode()).digest()
        event_id = urlsafe_b64encode(digest[:18]).decode()
        body = {"email": message["address"], "timestamp": at, "sg_event_id": event_id, **body}
        self.db.execute(
            "insert into mail_event values (?, ?, ?, ?)",
            (event_id, message["id"], at, json.dumps(body, ensure_ascii=False)),
        )
        post_at = at
        if self.random.random() < DELAYED_SHARE:
            post_at += self.random.randint(20 * 60, 3 * 3600)
        copies = 1
        if self.random.random() < DUPLICATE_SHARE:
            copies += self.random.choice((1, 1, 1, 2))
        for copy in range(copies):
            self.db.execute(
                "insert into mail_posting (sg_event_id, copy, post_at) values (?, ?, ?)",
                (event_id, copy, post_at),
            )
            post_at += self.random.randint(60, 90 * 60)
