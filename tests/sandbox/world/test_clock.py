from __future__ import annotations

import csv
import gzip
import json
import random
import re
import sqlite3
from collections import Counter, defaultdict
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from sandbox.store import Store, iso, parse
from sandbox.world import assortment, catalogue, clock, occasions, shopping
from sandbox.world.catalogue import CONTENTS
from sandbox.world.simulation import NOBODY

START = parse("2026-11-20T06:00:00Z")
RESERVED = re.compile(r"@(@|\.)?([\w-]+\.)*(example|example\.(com|org|net))$")

FACTS = (
    "shop_customers",
    "shop_orders",
    "shop_order_lines",
    "shop_refunds",
    "shop_refund_lines",
    "shop_checkouts",
    "crm_object",
    "crm_association",
    "world_people",
    "world_agenda",
)


def outlets(home: Path) -> clock.Outlets:
    return clock.Outlets(home / "inbox", home / "files")


def new_world(home: Path, **setting) -> Store:
    store = Store(home)
    values = {"seed": 7, "start": START, "contacts": 150, "days": 120} | setting
    clock.begin(store, clock.Setting(**values), outlets(home))
    return store


def contents(store: Store) -> dict[str, list[tuple]]:
    with store.read() as db:
        return {table: sorted(tuple(row) for row in db.execute(f"select * from {table}")) for table in FACTS}


def site_events(home: Path) -> list[dict]:
    events = []
    for path in sorted((home / "inbox").iterdir()):
        events += [json.loads(line) for line in gzip.decompress(path.read_bytes()).splitlines()]
    return events


def dropped(home: Path) -> dict[str, str]:
    """The files that people would have dropped, by folder and name."""
    return {
        f"{path.parent.name}/{path.name}": path.read_text()
        for path in sorted((home / "files").glob("*/*.csv"))
    }


@pytest.fixture(scope="module")
def world(tmp_path_factory) -> Store:
    """A world that tests only look at."""
    return new_world(tmp_path_factory.mktemp("world"), contacts=600, days=180)


def rows(store: Store, query: str) -> list[sqlite3.Row]:
    with store.read() as db:
        return db.execute(query).fetchall()


def test_the_same_seed_makes_the_same_world_and_another_one_another(tmp_path):
    first, second = new_world(tmp_path / "a", seed=3), new_world(tmp_path / "b", seed=3)
    other = new_world(tmp_path / "c", seed=4)
    assert contents(first) == contents(second)
    assert site_events(tmp_path / "a") == site_events(tmp_path / "b")
    assert dropped(tmp_path / "a") == dropped(tmp_path / "b")
    assert contents(first) != contents(other)


def test_one_long_step_and_many_short_ones_lead_to_the_same_world(tmp_path):
    once, often = new_world(tmp_path / "a"), new_world(tmp_path / "b")
    end = START + timedelta(days=9)
    clock.advance(once, end, outlets(tmp_path / "a"))
    moment = START
    while moment < end:
        moment = min(end, moment + timedelta(hours=31, minutes=7))
        clock.advance(often, moment, outlets(tmp_path / "b"))
    assert contents(once) == contents(often)
    known = {event["event_id"]: event for event in site_events(tmp_path / "a")}
    assert known == {event["event_id"]: event for event in site_events(tmp_path / "b")}
    assert len(site_events(tmp_path / "b")) == len(known), "no event is written twice"
    lines = [
        sorted(line for name, text in dropped(tmp_path / home).items() for line in text.splitlines()[1:])
        for home in "ab"
    ]
    assert lines[0] == lines[1]


def test_a_moment_that_has_passed_changes_nothing(tmp_path):
    store = new_world(tmp_path)
    clock.advance(store, START + timedelta(days=1), outlets(tmp_path))
    before, files = contents(store), sorted((tmp_path / "inbox").iterdir())
    for moment in (START, START + timedelta(days=1)):
        assert clock.advance(store, moment, outlets(tmp_path))["happened"] == {}
    assert contents(store) == before
    assert sorted((tmp_path / "inbox").iterdir()) == files


def test_an_advance_that_fails_leaves_the_world_as_it_was_and_can_be_repeated(tmp_path, monkeypatch):
    store, twin = new_world(tmp_path / "a"), new_world(tmp_path / "b")
    before = contents(store)

    def crash(*_):
        raise OSError("power cut")

    monkeypatch.setattr(clock, "_write", crash)
    with pytest.raises(OSError, match="power cut"):
        clock.advance(store, START + timedelta(days=3))
    monkeypatch.undo()
    assert contents(store) == before
    assert store.now() == START
    for each in (store, twin):
        clock.advance(each, START + timedelta(days=3))
    assert contents(store) == contents(twin)


def test_files_that_could_not_be_written_are_written_at_the_next_start(tmp_path):
    store = new_world(tmp_path)
    clock.advance(store, START + timedelta(days=2))
    waiting = {row["name"] for row in rows(store, "select name from world_outbox")}
    assert {name.partition("-")[0] for name in waiting} >= {"site", "ad_spend/ad"}
    clock.begin(Store(tmp_path), clock.Setting(), clock.Outlets(site_inbox=tmp_path / "inbox"))
    left = {row["name"] for row in rows(store, "select name from world_outbox")}
    assert left == {name for name in waiting if "/" in name}, "nobody has said where to"
    clock.begin(Store(tmp_path), clock.Setting(), outlets(tmp_path))
    files = tmp_path / "files"
    there = {path.name for path in (tmp_path / "inbox").iterdir()}
    there |= {str(path.relative_to(files)) for path in files.glob("*/*")}
    assert waiting <= there
    assert not rows(store, "select 1 from world_outbox")


def test_history_is_one_file_a_day_in_order_and_not_from_the_future(world):
    days = Counter()
    for path in sorted((world.home / "inbox").iterdir()):
        lines = [json.loads(line) for line in gzip.decompress(path.read_bytes()).splitlines()]
        assert [line["occurred_at"] for line in lines] == sorted(line["occurred_at"] for line in lines)
        assert {line["occurred_at"][:10] for line in lines} == {path.name.removeprefix("site-")[:10]}
        assert lines[-1]["occurred_at"] <= iso(START)
        days.update(line["type"] for line in lines)
    assert set(days) == {
        "page_view", "product_view", "search", "cart_add", "wish", "exit_intent",
        "content_download", "form_submit", "survey",
    }  # fmt: skip


def test_every_address_and_number_is_one_that_nobody_has(world):
    addresses = [row["email"] for row in rows(world, "select email from world_addresses")]
    proper = [address for address in addresses if address.count("@") == 1]
    assert len(proper) > 500
    for address in proper:
        domain = address.partition("@")[2].strip()
        assert not domain or RESERVED.search(f"@{domain.strip('.')}"), address
    phones = [row["phone"] for row in rows(world, "select phone from shop_customers where phone is not null")]
    assert phones
    assert all(phone.startswith(("+493023125", "+447700900", "+12025550")) for phone in phones)


@pytest.mark.parametrize(
    ("what", "query"),
    [
        ("fresh subscribers", "select 1 from shop_customers where marketing_state = 'SUBSCRIBED'"
         " and marketing_updated_at >= '2026-11-18T06:00:00Z'"),
        ("never confirmed", "select 1 from shop_customers where marketing_state = 'PENDING'"),
        ("opted out at the shop", "select 1 from shop_customers where marketing_state = 'UNSUBSCRIBED'"),
        ("carts left lately", "select 1 from shop_checkouts where completed_at is null"
         " and created_at >= '2026-11-17T12:00:00Z'"),
        ("carts completed later", "select 1 from shop_checkouts where completed_at > created_at"),
        ("many purchases", "select 1 from shop_orders group by customer_id having count(*) >= 5"),
        ("bought once", "select 1 from shop_orders group by customer_id having count(*) = 1"),
        ("away for half a year", "select 1 from shop_orders where customer_id > 0 group by customer_id"
         " having max(created_at) < '2026-05-24'"),
        ("guest orders", "select 1 from shop_orders where customer_id is null"),
        ("cancelled", "select 1 from shop_orders where cancelled_at is not null"),
        ("partly refunded", "select 1 from shop_orders where financial_status = 'PARTIALLY_REFUNDED'"),
        ("discount codes", "select 1 from shop_orders where discount_codes <> ''"),
        ("addresses no mail server takes", "select 1 from shop_customers where not valid_format"),
        ("without a first name", "select 1 from shop_customers where first_name is null and last_name <> ''"),
        ("a name with markup", "select 1 from shop_customers where first_name = '<b>Bella</b>'"),
        ("a name like a merge field", "select 1 from shop_customers where first_name = '%%first_name%%'"),
        ("a product without a picture", "select 1 from shop_products where image is null"),
        ("changed addresses", "select 1 from shop_customers where email like '%@neu.example'"),
        ("leads", "select 1 from crm_object where kind = 'contacts' and properties like '%\"lead\"%'"),
        ("open deals", "select 1 from crm_object where kind = 'deals' and properties not like '%closedwon%'"
         " and properties not like '%closedlost%'"),
        ("deals won", "select 1 from crm_object where kind = 'deals' and properties like '%closedwon%'"),
        ("deals lost", "select 1 from crm_object where kind = 'deals' and properties like '%closedlost%'"),
        ("leads that are no longer qualified", "select 1 from crm_object where kind = 'contacts'"
         " and properties like '%\"lead\"%' and properties like '%bant_need%'"),
        ("birthdays in both ways of writing", "select 1 from crm_object"
         " where json_extract(properties, '$.date_of_birth') glob '19??-*' union all select 1 from crm_object"
         " where json_extract(properties, '$.date_of_birth') glob '??.??.19*'"),
        ("time zones overseas", "select 1 from crm_object where properties like '%america_slash_new_york%'"),
        ("salutations that say nothing", "select 1 from crm_object where properties like '%\"Divers\"%'"
         " or properties like '%\"Familie\"%' or properties like '%\"Dr.\"%'"),
        ("customers who sing our praise", "select 1 from crm_object"
         " where json_extract(properties, '$.lifecyclestage') = 'evangelist'"),
        ("people whom many follow", "select 1 from crm_object where kind = 'contacts'"
         " and json_extract(properties, '$.followercount') + 0 > 2000"),
        ("parcels delivered lately", "select 1 from shop_fulfillments where delivered_at >= '2026-11-13'"),
        ("parcels under way", "select 1 from shop_fulfillments where delivered_at is null"),
        ("products that are sold out", "select 1 from shop_products where inventory = 0"),
        ("products that nobody has rated", "select 1 from shop_products where rating is null"),
        ("people who agreed to texts", "select 1 from shop_customers where sms_state = 'SUBSCRIBED'"),
        ("browsers that may notify", "select 1 from world_browsers"),
        ("open tickets", "select 1 from crm_object where kind = 'tickets'"
         " and json_extract(properties, '$.closed_date') is null"),
        ("tickets closed lately", "select 1 from crm_object where kind = 'tickets'"
         " and json_extract(properties, '$.closed_date') >= '2026-11-17'"),
        ("members", "select 1 from crm_object"
         " where json_extract(properties, '$.member_since') like '202_-__-__'"),
        ("contracts that end", "select 1 from crm_object where json_extract(properties, '$.contract_end')"
         " between '2026-12-01' and '2027-01-31'"),
        ("babies on the way", "select 1 from crm_object"
         " where json_extract(properties, '$.baby_due') > '2026-11-22'"),
        ("babies that are there", "select 1 from crm_object"
         " where json_extract(properties, '$.baby_due') < '2026-11-20'"),
        ("somebody born on a leap day", "select 1 from crm_object"
         " where json_extract(properties, '$.date_of_birth') like '%-02-29'"),
        ("birthdays these days", "select 1 from crm_object"
         " where json_extract(properties, '$.date_of_birth') like '%-11-20'"),
        ("leads with the newsletter", "select 1 from crm_object o join shop_customers c on c.email = o.email"
         " where o.kind = 'contacts' and c.marketing_state = 'SUBSCRIBED'"
         " and json_extract(o.properties, '$.lifecyclestage') in ('lead', 'marketingqualifiedlead')"),
        ("merged contacts", "select 1 from crm_merge"),
        ("people in both systems", "select 1 from crm_object o join shop_customers c on c.email = o.email"),
    ],
)  # fmt: skip
def test_the_world_has(world, what, query):
    assert rows(world, query), what


def test_prices_fall_and_rise_and_products_come_back(tmp_path):
    store = new_world(tmp_path, contacts=20, days=30)

    def products():
        return {row["id"]: row for row in rows(store, "select * from shop_products")}

    before = products()
    clock.advance(store, START + timedelta(days=3))
    after = products()
    reduced = [one for one in after if Decimal(after[one]["price"]) < Decimal(before[one]["price"])]
    back = [one for one in after if after[one]["inventory"] > 0 == before[one]["inventory"]]
    assert len(reduced) == assortment.REDUCED
    assert len(back) == assortment.SOLD_OUT
    assert all(after[one]["updated_at"] > before[one]["updated_at"] for one in (*reduced, *back))
    clock.advance(store, START + timedelta(days=60))
    later = products()
    assert [later[one]["price"] for one in reduced] == [before[one]["price"] for one in reduced]


def test_nobody_chooses_what_is_sold_out(world):
    with world.read() as db:
        products = catalogue.read(db)
    left = [replace(product, in_stock=product.id % 2 == 0) for product in products]
    person = replace(NOBODY, staple=products[0].id, favourites=[product.id for product in products[:20]])
    rng = random.Random(7)  # ruff: ignore[suspicious-non-cryptographic-random-usage]
    chosen = {product.id for _ in range(300) for product, _ in shopping.choose(person, rng, left)}
    assert chosen == {product.id for product in left if product.in_stock}


def test_some_look_around_first_and_say_later_who_they_are(world):
    known = defaultdict(set)
    for event in site_events(world.home):
        who = event["customer_id"] or event["email"]
        known[event["visitor_id"]].add("known" if who else event["type"])
    curious = [seen for seen in known.values() if {"known", "exit_intent"} <= seen]
    unknown = [seen for seen in known.values() if "known" not in seen]
    assert len(curious) > 5
    assert any("exit_intent" in seen for seen in unknown)


def test_what_is_announced_stands_in_a_file_once(tmp_path):
    store = new_world(tmp_path, contacts=20, days=60)
    for days in (1, 2, 30):
        clock.advance(store, START + timedelta(days=days), outlets(tmp_path))
    lines = [
        row
        for name, text in dropped(tmp_path).items()
        if name.startswith("announcements/")
        for row in csv.DictReader(text.splitlines())
    ]
    assert len({row["announcement_id"] for row in lines}) == len(lines) == len(occasions.ANNOUNCED)
    assert {row["kind"] for row in lines} == {"store", "event", "release"}
    assert all(row["announced_at"] < row["starts_at"] for row in lines)


def test_another_tool_has_sent_a_newsletter_before(world):
    [path] = (world.home / "files" / "mail_events").iterdir()
    events = [json.loads(line) for line in gzip.decompress(path.read_bytes()).splitlines()]
    assert len({event["sg_event_id"] for event in events}) == len(events)
    assert all(event["timestamp"] <= START.timestamp() for event in events)
    did = defaultdict(set)
    for event in events:
        did[event["email"]].add((event["event"], event.get("sg_machine_open")))
    read = [address for address, what in did.items() if what & {("open", False), ("click", None)}]
    assert {name for what in did.values() for name, _ in what} == {"delivered", "open", "click"}
    assert 0.1 * len(did) < len(did) - len(read), "some have got mails and read none"
    often = Counter(event["email"] for event in events if event["event"] == "delivered")
    assert max(often.values()) >= 12


def test_a_world_of_a_few_people_still_has_what_a_first_look_needs(tmp_path):
    store = new_world(tmp_path, contacts=25, days=60)
    assert rows(
        store, "select 1 from shop_checkouts where completed_at is null and created_at > '2026-11-17'"
    )
    fresh = "select 1 from shop_customers where marketing_state = 'SUBSCRIBED' and created_at > '2026-11-18'"
    assert len(rows(store, fresh)) >= 3
    assert rows(store, "select 1 from shop_orders")


@pytest.mark.parametrize("day", range(7))
def test_whatever_the_day_some_subscribers_have_just_left_a_cart(tmp_path, day):
    start = START + timedelta(days=day)
    store = new_world(tmp_path, start=start, contacts=300)
    left = (
        "select distinct k.customer_id from shop_checkouts k join shop_customers c on c.id = k.customer_id"
        " where k.completed_at is null and c.marketing_state = 'SUBSCRIBED' and c.valid_format"
        f" and k.created_at > '{iso(start - timedelta(hours=44))}'"
    )
    assert len(rows(store, left)) >= 3


def test_no_more_is_given_back_than_was_paid(world):
    for order in rows(world, "select * from shop_orders"):
        assert Decimal("0") <= Decimal(order["refunded"]) <= Decimal(order["total"])
        assert (order["refunded"] == "0.00") == (order["financial_status"] in {"PAID", "PENDING"})
    refunded = Counter()
    for refund in rows(world, "select order_id, amount from shop_refunds"):
        refunded[refund["order_id"]] += Decimal(refund["amount"])
    orders = {
        row["id"]: Decimal(row["refunded"]) for row in rows(world, "select id, refunded from shop_orders")
    }
    assert refunded == {order: amount for order, amount in orders.items() if amount}
    assert not rows(world, "select 1 from shop_order_lines where current_quantity not between 0 and quantity")


def test_everything_has_happened_by_now_and_in_order(world):
    now = iso(START + timedelta(hours=1))  # a visit that began before the clock stopped is finished
    for table in ("shop_customers", "shop_orders", "shop_refunds", "shop_checkouts"):
        wrong = f"select 1 from {table} where updated_at < created_at or updated_at > '{now}'"
        assert not rows(world, wrong), table
    assert not rows(
        world,
        "select 1 from shop_orders o join shop_customers c on c.id = o.customer_id"
        " where o.created_at < c.created_at",
    )


def test_visits_tell_where_they_came_from_and_how_long_they_lasted(world):
    events = site_events(world.home)
    viewed = [event for event in events if event["type"] in {"page_view", "product_view"}]
    assert all(0 < event["seconds_on_page"] < 1000 for event in viewed)
    spent = {
        (row["platform"], row["campaign"])
        for name, text in dropped(world.home).items()
        if name.startswith("ad_spend/")
        for row in csv.DictReader(text.splitlines())
    }
    came_by = {
        (event["utm_source"], event["utm_campaign"])
        for event in events
        if event.get("utm_source") and event["utm_campaign"]
    }
    assert came_by == spent, "the ads that bring visits are those that are paid for"
    newcomers = {event["customer_id"]: event["referred_by"] for event in events if event.get("referred_by")}
    customers = {
        f"gid://shopify/Customer/{row['id']}" for row in rows(world, "select id from shop_customers")
    }
    assert len(newcomers) > 10
    assert set(newcomers.values()) <= customers
    assert all(friend != newcomer for newcomer, friend in newcomers.items())


def test_everything_there_is_to_read_is_read_in_the_readers_language(world):
    languages = {content.id: content.language for content in CONTENTS}
    locales = {
        f"gid://shopify/Customer/{row['id']}": row["locale"][:2]
        for row in rows(world, "select id, locale from shop_customers")
    }
    read = [event for event in site_events(world.home) if event["content_id"]]
    assert {event["content_id"] for event in read} == set(languages)
    assert all(
        languages[event["content_id"]] == locales[event["customer_id"]]
        for event in read
        if event["customer_id"]
    )


def test_forms_and_surveys_have_answers_to_all_questions(world):
    answers = defaultdict(set)
    for event in site_events(world.home):
        for answer in event.get("answers", ()):
            assert event["type"] in {"form_submit", "survey"}
            answers[answer["question"]].add(answer["answer"])
    assert answers.keys() == {
        "role", "need", "timeframe", "budget", "interest", "birthday", "satisfaction", "recommend",
    }  # fmt: skip
    assert answers["role"] == {"decides", "recommends", "uses"}
    assert answers["satisfaction"] <= {str(mark) for mark in range(1, 11)}


def test_ads_are_paid_for_once_a_day_until_yesterday(tmp_path):
    store = new_world(tmp_path)
    for days in (0, 2, 2.5, 4):
        clock.advance(store, START + timedelta(days=days), outlets(tmp_path))
    paid = Counter(
        (row["day"], row["campaign"])
        for name, text in dropped(tmp_path).items()
        if name.startswith("ad_spend/")
        for row in csv.DictReader(text.splitlines())
    )
    assert set(paid.values()) == {1}
    assert max(paid)[0] == "2026-11-23"


def test_letters_come_back_now_and_then(world):
    [text] = [text for name, text in dropped(world.home).items() if name.startswith("postal_returns/")]
    letters = list(csv.DictReader(text.splitlines(), delimiter=";"))
    assert 0 < len(letters) < 0.05 * len(rows(world, "select 1 from shop_customers"))
    assert all(bool(letter["customer_id"]) != bool(letter["email"]) for letter in letters)
    assert {letter["reason"] for letter in letters} <= {"moved", "unknown", "refused", "deceased"}


def test_some_buy_at_a_discount_and_most_do_not(world):
    shares = [
        row["share"]
        for row in rows(
            world,
            "select avg(discount_codes <> '') as share from shop_orders where customer_id is not null"
            " group by customer_id having count(*) >= 3",
        )
    ]
    assert sum(share < 0.2 for share in shares) > len(shares) / 2
    assert any(share > 0.6 for share in shares)


def test_a_staple_is_bought_again_and_again(world):
    again = rows(
        world,
        "select 1 from shop_orders o join shop_order_lines l on l.order_id = o.id"
        " where o.customer_id is not null group by o.customer_id, l.product_id having count(*) >= 4",
    )
    assert len(again) > 20


def test_somebody_is_told_by_text_of_a_shop_that_opens_within_a_day(world):
    with world.read() as db:
        people = [json.loads(row["state"]) for row in db.execute("select state from world_people")]
    tomorrow = [where for days, until, _, _, _, where, _ in occasions.ANNOUNCED if days + until == 1]
    told = [
        person
        for person in people
        for _, country, prefix in tomorrow
        if person["texts"] and person["country"] == country and person["zip"].startswith(prefix)
    ]
    assert told


def test_some_subscribers_offer_to_be_ambassadors(world):
    offers = [event for event in site_events(world.home) if event["topic"] == "ambassadors"]
    assert len({event["email"] for event in offers}) == len(offers) == occasions.APPLICANTS
    assert {event["type"] for event in offers} == {"form_submit"}
