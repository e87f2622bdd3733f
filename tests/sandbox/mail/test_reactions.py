"""People react to what they got: deterministically, in time order, and only once."""

from __future__ import annotations

import json
import sqlite3
from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import httpx
import pytest

from sandbox.mail.messages import accept
from sandbox.mail.reactions import Temperament, Visit, react
from sandbox.mail.suppressions import add
from sandbox.store import Store

Build = Callable[..., dict[str, Any]]
WEEK = timedelta(days=7)


def person(**changes: Any) -> Temperament:
    usual = {
        "open_rate": 0.0,
        "click_rate": 0.0,
        "complaint_rate": 0.0,
        "opt_out_rate": 0.0,
        "bounce": None,
        "machine_opens": False,
        "patience": timedelta(hours=3),
    }
    return Temperament(**usual | changes)


def send(world: Store, payload: dict[str, Any], at: datetime) -> None:
    with world.write() as db:
        accept(db, payload, int(at.timestamp()))


def react_until(
    world: Store, until: datetime, who: Temperament | Callable[[str], Temperament]
) -> list[Visit]:
    with world.write() as db:
        return react(db, 7, until, who if callable(who) else lambda address: who)


def events(world: Store) -> list[dict[str, Any]]:
    with world.read() as db:
        return [
            json.loads(row["body"]) for row in db.execute("select body from mail_event order by occurred_at")
        ]


def names(world: Store) -> Counter[str]:
    return Counter(event["event"] for event in events(world))


def addresses(count: int) -> list[str]:
    return [f"p{number}@example.com" for number in range(count)]


def test_a_delivered_mail_is_processed_then_delivered_within_a_minute(
    world: Store, request_for: Build, now: datetime
) -> None:
    send(world, request_for("a@example.com"), now)
    react_until(world, now + WEEK, person())
    processed, delivered = events(world)
    assert (processed["event"], delivered["event"]) == ("processed", "delivered")
    assert now.timestamp() < processed["timestamp"] < delivered["timestamp"] <= now.timestamp() + 60
    assert delivered["email"] == "a@example.com"
    assert (delivered["mk"], delivered["bk"], delivered["category"]) == (
        f"{0:032x}",
        "7",
        ["welcome", "hello"],
    )
    assert processed["sg_message_id"] == delivered["sg_message_id"]
    assert processed["sg_event_id"] != delivered["sg_event_id"]


def test_opens_and_clicks_follow_in_order_on_links_of_the_mail(
    world: Store, request_for: Build, now: datetime
) -> None:
    send(world, request_for(*addresses(200)), now)
    visits = react_until(world, now + 30 * WEEK, person(open_rate=1, click_rate=1))
    assert len(visits) == names(world)["click"] == 200
    own = {"https://shop.example/a?utm_content=img01"}
    for visit in visits:
        number = visit.address.removeprefix("p").split("@")[0]
        assert visit.kind == "click"
        assert visit.url in own | {f"https://shop.example/cart/{number}"}, "never the unsubscribe link"
        assert visit.message_key == f"{int(number):032x}"
    by_message: dict[str, dict[str, int]] = {}
    for event in events(world):
        by_message.setdefault(event["mk"], {}).setdefault(event["event"], event["timestamp"])
    assert all(at["delivered"] < at["open"] < at["click"] for at in by_message.values())
    offsets = {
        event["url_offset"]["index"]
        for event in events(world)
        if event["event"] == "click" and event["url"].startswith("https://shop.example/a")
    }
    assert offsets == {0, 1}, "identical links are told apart"


def test_rates_are_shares(world: Store, request_for: Build, now: datetime) -> None:
    send(world, request_for(*addresses(1000)), now)
    react_until(world, now + 30 * WEEK, person(open_rate=0.4, click_rate=0.25, complaint_rate=0.05))
    counted = names(world)
    opened = {event["mk"] for event in events(world) if event["event"] == "open"}
    assert len(opened) == pytest.approx(400, abs=60)
    assert counted["click"] == pytest.approx(100, abs=35)
    assert counted["spamreport"] == pytest.approx(50, abs=25)


def test_machine_opens_are_marked(world: Store, request_for: Build, now: datetime) -> None:
    send(world, request_for("a@example.com"), now)
    react_until(world, now + WEEK, person(machine_opens=True))
    [opened] = [event for event in events(world) if event["event"] == "open"]
    assert opened["sg_machine_open"] is True
    assert opened["timestamp"] < now.timestamp() + 120


def test_tracking_that_is_off_reports_nothing_but_people_still_come(
    world: Store, request_for: Build, now: datetime
) -> None:
    off = {"open_tracking": {"enable": False}, "click_tracking": {"enable": False}}
    send(world, request_for("a@example.com", tracking_settings=off), now)
    visits = react_until(world, now + WEEK, person(open_rate=1, click_rate=1))
    assert set(names(world)) == {"processed", "delivered"}
    assert len(visits) == 1


def test_hard_bounces_suppress_and_some_arrive_late_without_our_keys(
    world: Store, request_for: Build, now: datetime
) -> None:
    send(world, request_for(*addresses(200)), now)
    react_until(world, now + WEEK, person(bounce="hard"))
    bounces = [event for event in events(world) if event["event"] == "bounce"]
    assert len(bounces) == 200
    assert {bounce["type"] for bounce in bounces} == {"bounce"}
    late = [bounce for bounce in bounces if "mk" not in bounce]
    assert 5 < len(late) < 60
    assert not any({"bk", "sg_message_id", "smtp-id"} & set(bounce) for bounce in late)
    assert all(bounce["timestamp"] > now.timestamp() + 3600 for bounce in late)
    assert names(world)["delivered"] == len(late), "the other server had taken those"
    with world.read() as db:
        assert db.execute("select count(*) from mail_suppression where list = 'bounces'").fetchone()[0] == 200


def test_soft_bounces_are_deferred_then_delivered_or_blocked(
    world: Store, request_for: Build, now: datetime
) -> None:
    send(world, request_for(*addresses(100)), now)
    react_until(world, now + WEEK, person(bounce="soft"))
    counted = names(world)
    assert counted["deferred"] >= 100
    assert counted["delivered"] + counted["bounce"] == 100
    assert counted["delivered"] > 20
    assert {event["type"] for event in events(world) if event["event"] == "bounce"} == {"blocked"}


def test_suppressed_addresses_are_dropped_and_say_why(
    world: Store, request_for: Build, now: datetime
) -> None:
    with world.write() as db:
        add(db, "bounces", "A@example.com", int(now.timestamp()) - 10)
        add(db, "spam_reports", "b@example.com", int(now.timestamp()) + 10)
    send(world, request_for("a@example.com", "b@example.com"), now)
    react_until(world, now + WEEK, person())
    [dropped] = [event for event in events(world) if event["event"] == "dropped"]
    assert (dropped["email"], dropped["reason"], dropped["mk"]) == (
        "a@example.com",
        "Bounced Address",
        f"{0:032x}",
    )
    assert names(world)["delivered"] == 1, "a list entry of later does not count yet"


def test_opting_out_is_a_visit_to_the_senders_own_link(
    world: Store, request_for: Build, now: datetime
) -> None:
    send(world, request_for("a@example.com"), now)
    visits = react_until(world, now + 30 * WEEK, person(open_rate=1, opt_out_rate=1))
    assert [(visit.kind, visit.url) for visit in visits] == [
        ("opt_out", "https://web.example/unsubscribe/token0")
    ]
    assert "unsubscribe" not in names(world)


def test_without_an_own_link_people_use_the_providers(
    world: Store, request_for: Build, now: datetime
) -> None:
    grouped, tracked = request_for("g@example.com"), request_for("t@example.com")
    grouped["asm"] = {"group_id": 42}
    tracked["tracking_settings"] = {"subscription_tracking": {"enable": True}}
    for payload in (grouped, tracked):
        payload["content"][1]["value"] = "<p>no links</p>"
        del payload["personalizations"][0]["headers"]
        send(world, payload, now)
    late = now + 30 * WEEK
    assert react_until(world, late, person(open_rate=1, opt_out_rate=1)) == []
    assert (names(world)["group_unsubscribe"], names(world)["unsubscribe"]) == (1, 1)
    send(world, grouped, late)
    send(world, tracked, late)
    send(world, request_for("g@example.com"), late)
    react_until(world, late + WEEK, person())
    assert names(world)["dropped"] == 2, "the group's member is written to outside the group"


def test_visits_wait_for_their_time_and_are_made_once(
    world: Store, request_for: Build, now: datetime
) -> None:
    send(world, request_for(*addresses(100)), now)
    who = person(open_rate=1, click_rate=1)
    made: list[Visit] = []
    for hour in range(0, 24 * 30, 6):
        until = now + timedelta(hours=hour)
        visits = react_until(world, until, who)
        assert all(until - timedelta(hours=6) < visit.at <= until for visit in visits)
        made += visits
    assert len(made) == 100
    assert react_until(world, now + 50 * WEEK, who) == []


def test_the_same_world_reacts_the_same_way_in_whatever_steps(
    world: Store, tmp_path, request_for: Build, now: datetime
) -> None:
    """Reactions hang on the seed and the message key, not on how the clock was moved."""
    other = Store(tmp_path / "other")
    world.path.parent.joinpath("other").mkdir()
    with world.read() as source, sqlite3.connect(other.path) as target:
        source.backup(target)
    who = person(open_rate=0.6, click_rate=0.5, complaint_rate=0.1, opt_out_rate=0.2)
    results = []
    for store, hours in ((world, 24 * 60), (other, 5)):
        send(store, request_for(*addresses(60)), now)
        made = []
        for step in range(0, 24 * 60 + 1, hours):
            made += react_until(store, now + timedelta(hours=step), who)
        told = sorted((event["mk"], event["event"], event["timestamp"]) for event in events(store))
        results.append((sorted(made, key=lambda visit: (visit.at, visit.address)), told))
    assert results[0] == results[1]


def test_a_transaction_that_is_rolled_back_has_not_happened(
    world: Store, request_for: Build, now: datetime
) -> None:
    send(world, request_for("a@example.com"), now)
    who = person(open_rate=1, click_rate=1)
    with pytest.raises(ZeroDivisionError), world.write() as db:
        react(db, 7, now + WEEK * 30, lambda address: who)
        raise ZeroDivisionError
    assert events(world) == []
    assert len(react_until(world, now + WEEK * 30, who)) == 1


class TestScheduled:
    """Cancelling and pausing by batch id, up to ten minutes before."""

    @pytest.mark.parametrize(
        ("status", "minutes_before", "state"),
        [(None, 0, "sent"), ("cancel", 11, "cancelled"), ("cancel", 9, "sent"), ("pause", 11, "accepted")],
    )
    def test_status_decides_at_the_time_of_sending(
        self,
        world: Store,
        mail: httpx.Client,
        request_for: Build,
        now: datetime,
        status: str | None,
        minutes_before: int,
        state: str,
    ) -> None:
        batch_id = mail.post("/v3/mail/batch").json()["batch_id"]
        send_at = now + timedelta(minutes=minutes_before or 30)
        payload = request_for("a@example.com", batch_id=batch_id, send_at=int(send_at.timestamp()))
        assert mail.post("/v3/mail/send", json=payload).status_code == 202
        if status:
            mail.post("/v3/user/scheduled_sends", json={"batch_id": batch_id, "status": status})
        react_until(world, send_at - timedelta(seconds=1), person())
        assert mail.get("/inbox.json").json()[0]["state"] == "accepted"
        react_until(world, send_at + timedelta(hours=1), person())
        assert mail.get("/inbox.json").json()[0]["state"] == state
        assert (names(world)["delivered"] == 1) == (state == "sent")

    def test_a_pause_that_is_lifted_lets_the_mail_go_and_one_of_three_days_does_not(
        self, world: Store, mail: httpx.Client, request_for: Build, now: datetime
    ) -> None:
        ids = [mail.post("/v3/mail/batch").json()["batch_id"] for _ in range(2)]
        send_at = int((now + timedelta(hours=1)).timestamp())
        for number, batch_id in enumerate(ids):
            mail.post(
                "/v3/mail/send",
                json=request_for(f"p{number}@example.com", batch_id=batch_id, send_at=send_at),
            )
            mail.post("/v3/user/scheduled_sends", json={"batch_id": batch_id, "status": "pause"})
        react_until(world, now + timedelta(hours=2), person())
        mail.delete(f"/v3/user/scheduled_sends/{ids[0]}")
        react_until(world, now + timedelta(days=4), person())
        assert [one["state"] for one in mail.get("/inbox.json").json()] == ["sent", "cancelled"]


def test_a_person_who_complained_is_not_written_to_again(
    world: Store, request_for: Build, now: datetime
) -> None:
    send(world, request_for("a@example.com"), now)
    send(world, request_for("a@example.com", subject="Second"), now + 4 * WEEK)
    react_until(world, now + 8 * WEEK, person(complaint_rate=1))
    assert names(world) == {"processed": 1, "delivered": 1, "spamreport": 1, "dropped": 1}


@pytest.mark.parametrize(("page", "least", "most"), [("/confirm/abc", 160, 185), ("/ambassadors", 60, 105)])
def test_what_was_asked_for_is_followed_more_often_than_what_is_offered(
    world: Store, request_for: Build, now: datetime, page: str, least: int, most: int
) -> None:
    mail = request_for(*addresses(200))
    promise = f'<a href="https://shop.example{page}">Yes</a> <a href="https://shop.example/">Shop</a>'
    mail["content"] = [{"type": "text/html", "value": promise}]
    send(world, mail, now)
    visits = react_until(world, now + 30 * WEEK, person(open_rate=1, click_rate=0.01))
    assert least <= len(visits) <= most
    assert {visit.url for visit in visits} == {f"https://shop.example{page}"}
