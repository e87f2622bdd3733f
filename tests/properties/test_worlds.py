"""Whatever people do and whenever runs happen: nobody twice, nobody without consent, nobody too often,
nothing at night, and in the end every journey is decided."""

from __future__ import annotations

import hashlib
import tempfile
from collections import defaultdict
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, time, timedelta
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import select

from kreislauf.flow import Branch, Email, Flow, Push, Test
from kreislauf.flow.conditions import Fact
from kreislauf.flow.policy import ChannelPolicy, Policy
from kreislauf.flow.words import parse_cap
from kreislauf.ledger.batches import Verdict
from kreislauf.ledger.consents import Statement, record
from kreislauf.ledger.hours import QuietHours
from kreislauf.ledger.schema import NOT_FINAL, BatchState, Channel, ConsentState, event, message
from kreislauf.ledger.store import EVERYTHING, Ledger, insert_or_skip, utc_now
from kreislauf.ledger.suppressions import suppress
from tests.properties.circuit import ACCEPTED, Circuit, NewLedger, Rows, cap_exceeded, disturbed, flow_steps

START = datetime(
    2026, 10, 22, 9, tzinfo=UTC
)  # in Europe clocks go back on the 25th, in New York a week later
ZONES = ("Europe/Berlin", "America/New_York", "Pacific/Auckland", "UTC")
NIGHT = QuietHours(time(22), time(6))
POLICY = Policy(
    ("transactional", "cart", "flow", "newsletter"),
    {
        Channel.EMAIL: ChannelPolicy((parse_cap("1 per 16 hours"), parse_cap("3 per 1 week")), NIGHT),
        Channel.PUSH: ChannelPolicy((parse_cap("1 per 1 day"),), NIGHT),
    },
    holdout=Fraction(1, 10),
)

REMINDER = Email("reminder", after=Test(short="1 hour", long="4 hours"))
NUDGE = Push("nudge", after="2 hours", unless="clicked previous")
LAST = Email("last_call", after="1 day, at 09:00", unless="clicked reminder")


def cart(*steps: Any, **more: Any) -> Flow:
    return Flow("cart_abandoned", steps, goal="ordered", priority="cart", relies_on=["shop"], **more)


CARTS = {
    "as it began": cart(REMINDER, LAST),
    "a step added": cart(REMINDER, NUDGE, LAST),
    "a step removed": cart(REMINDER),
    "a step renamed": cart(REMINDER, Email("final_call", after="1 day, at 09:00")),
    "a longer delay": cart(REMINDER, replace(LAST, after="3 days since trigger")),
    "a branch": cart(
        Branch("dear", when="total_amount >= 100", then=[REMINDER], otherwise=[Push("nudge")]),
        replace(LAST, after="1 day"),
    ),
    "a control group": cart(REMINDER, LAST, holdout="50 %"),
    "a pilot": cart(REMINDER, LAST, pilot="50 %"),
    "a cap": cart(REMINDER, LAST, frequency_cap="1 per 2 weeks"),
}
WELCOME = Flow("subscribed", [Email("hello"), Email("story", after="2 days, at their hour")])


def is_within(salted: str, share: Fraction) -> bool:
    """Whether the digest of salt and contact falls within a share of all, as it is documented."""
    return Fraction(int(hashlib.md5(salted.encode()).hexdigest()[:16], 16), 16**16) < share  # ruff: ignore[hashlib-insecure-hash-function]


@dataclass
class Person:
    """What is true of a person, and what of it the warehouse knows."""

    name: str
    zone: str
    hour: int | None
    consents: bool = True
    is_known_to_consent: bool = True
    carts: list[dict[str, Any]] = field(default_factory=list)
    orders: list[datetime] = field(default_factory=list)
    joined: str | None = None


@cache
def _resolved() -> tuple[dict[str, list[Any]], list[Any]]:
    with tempfile.TemporaryDirectory() as folder:
        carts = {name: flow_steps(Path(folder), "cart", flow) for name, flow in CARTS.items()}
        return carts, flow_steps(Path(folder), "welcome", WELCOME)


class Worlds(RuleBasedStateMachine):
    """Rules are what people and operators do; invariants are asked after each."""

    def __init__(self, ledger: Ledger) -> None:
        super().__init__()
        self.carts, self.welcome = _resolved()
        self.circuit = Circuit(ledger, POLICY, {"flow_cart": Fact("ordered")})
        self.now = START
        self.edition = "as it began"
        self.final: dict[Any, Any] = {}

    def teardown(self) -> None:
        self.circuit.ledger.resume(EVERYTHING, "test")
        self._let_it_end()
        self._clear_up()

    def _clear_up(self) -> None:
        self.circuit.ledger.engine.dispose()

    @initialize(
        zones=st.lists(st.sampled_from(ZONES), min_size=2, max_size=4), hour=st.none() | st.integers(0, 23)
    )
    def people_come(self, zones: list[str], hour: int | None) -> None:
        self.people = [Person(f"shop-{n}", zone, hour) for n, zone in enumerate(zones, 3)]
        self._publish()

    # --------------------------------------------------------------------- what people do

    @rule(who=st.integers(0, 3), amount=st.sampled_from([20, 200]))
    def leaves_a_cart(self, who: int, amount: int) -> None:
        person = self._person(who)
        number = sum(len(each.carts) for each in self.people)
        person.carts.append({"id": f"cart-{number}", "at": self.now, "amount": amount})

    @rule(who=st.integers(0, 3))
    def orders(self, who: int) -> None:
        self._person(who).orders.append(self.now)

    @rule(who=st.integers(0, 3), consents=st.booleans())
    def tells_the_shop(self, who: int, consents: bool) -> None:
        """Known here with the next build."""
        self._person(who).consents = consents

    @rule(who=st.integers(0, 3))
    def opts_out_on_our_page(self, who: int) -> None:
        person = self._person(who)
        person.consents = person.is_known_to_consent = False
        said = Statement(
            f"{person.name}@example.org", ConsentState.REVOKED, "web", f"{self.now}", utc_now(), person.name
        )
        record(self.circuit.ledger, [said])

    @rule(who=st.integers(0, 3))
    def complains(self, who: int) -> None:
        person = self._person(who)
        person.consents = person.is_known_to_consent = False
        row = {"address": f"{person.name}@example.org", "contact_id": person.name}
        suppress(self.circuit.ledger, [row], "complaint", f"{self.now}")
        row["address"] = f"browser-{person.name}"
        suppress(self.circuit.ledger, [row], "complaint", f"{self.now} push", channel="push")

    @precondition(lambda self: self.circuit.sent)
    @rule(which=st.integers(0, 20))
    def clicks(self, which: int) -> None:
        sent = self.circuit.sent[which % len(self.circuit.sent)]
        row = {"event_id": f"{sent.key} {self.now}", "message_key": sent.key, "address": sent.address}
        row |= {"type": "click", "occurred_at": self.now, "recorded_at": utc_now()}
        with self.circuit.ledger.write() as connection:
            connection.execute(insert_or_skip(connection, event), row)

    @rule(who=st.integers(0, 3), other=st.integers(0, 3))
    def turns_out_to_be(self, who: int, other: int) -> None:
        """Two records are one person: the older one's id stays."""
        one, two = sorted((self._person(who), self._person(other)), key=lambda person: person.name)
        if one is not two:
            two.joined = one.name

    @rule(hours=st.integers(1, 60))
    def time_passes(self, hours: int) -> None:
        self.now += timedelta(hours=hours)

    # --------------------------------------------------------------------- what operators do

    @rule()
    def runs(self) -> None:
        self._publish()
        self._decide()
        self._send()

    @rule(state=st.sampled_from([BatchState.PLANNED, BatchState.IN_DOUBT, BatchState.REJECTED]))
    def runs_while_the_provider_fails(self, state: BatchState) -> None:
        self._publish()
        self._decide()
        self._send(Verdict(state))

    @rule()
    def decides_only(self) -> None:
        self._publish()
        self._decide()

    @rule()
    def sends_only(self) -> None:
        self._send()

    @rule(hours=st.integers(1, 30))
    def runs_late_on_an_old_moment(self, hours: int) -> None:
        """As of a moment long past; on the newest build, as a cleared task does."""
        self._decide(self.now - timedelta(hours=hours))

    @rule(is_first=st.booleans())
    def runs_beside_itself(self, is_first: bool) -> None:
        self._publish()
        self._decide_beside_itself(is_first)
        self._send()

    def _decide_beside_itself(self, is_first: bool) -> None:
        """Two runs ask before either has decided."""
        one, two = (self.circuit.run(self.now) for _ in range(2))
        for step in self._steps():
            asked = [(run, self.circuit.ask(step, run)) for run in (one, two)]
            for run, rows in asked if is_first else reversed(asked):
                self.circuit.decide(step, run, rows)

    @rule(is_paused=st.booleans())
    def pauses(self, is_paused: bool) -> None:
        switch = self.circuit.ledger.pause if is_paused else self.circuit.ledger.resume
        switch(EVERYTHING, "test")

    @rule(edition=st.sampled_from(sorted(CARTS)))
    def is_edited(self, edition: str) -> None:
        self.edition = edition

    # --------------------------------------------------------------------- what always holds

    @invariant()
    def nobody_gets_anything_twice(self) -> None:
        if not hasattr(self, "people"):
            return
        assert len({sent.key for sent in self.circuit.sent}) == len(self.circuit.sent)
        of_person = defaultdict(list)
        for row in self._sent_rows():
            of_person[row.flow, row.step, self._root(row.contact_id).name, row.occurrence_id].append(
                row.contact_id
            )
        assert all(len(found) == 1 for found in of_person.values()), of_person

    @invariant()
    def what_is_final_stays(self) -> None:
        columns = ("flow", "step", "contact_id", "occurrence_id", "reason", "variant", "run_id")
        now = {row[:4]: row[4:] for row in self.circuit.decisions(*columns) if row[4] not in NOT_FINAL}
        assert {key: now.get(key) for key in self.final} == self.final
        self.final = now

    @invariant()
    def nothing_is_sent_at_night(self) -> None:
        zones = {person.name: person.zone for person in getattr(self, "people", [])}
        for sent in self.circuit.sent:
            # Who turned out to live elsewhere after it was planned keeps the old clock.
            asked = {zones[sent.contact_id], self._root(sent.contact_id).zone}
            assert not all(disturbed(sent, POLICY, zone) for zone in asked), sent

    @invariant()
    def no_cap_is_exceeded(self) -> None:
        assert cap_exceeded(self.circuit, POLICY) == []

    @invariant()
    def nobody_of_the_control_group_is_written_to(self) -> None:
        joined = {person.joined for person in getattr(self, "people", [])}
        for row in self.circuit.messages():
            person = self._person_of(row.contact_id)
            if person.joined is None and person.name not in joined:
                assert not is_within(f"holdout:{person.name}", POLICY.holdout), row.contact_id

    @invariant()
    def who_clicked_is_not_asked_again(self) -> None:
        with self.circuit.ledger.read() as connection:
            clicks = connection.execute(
                select(
                    message.c.contact_id, message.c.occurrence_id, event.c.occurred_at, event.c.recorded_at
                )
                .join(event, event.c.message_key == message.c.message_key)
                .where(message.c.step == "reminder", event.c.type == "click")
            ).all()
        for row in self.circuit.messages():
            for click in clicks if row.step == "last_call" else ():
                is_of_it = click[:2] == (row.contact_id, row.occurrence_id)
                is_known = click.occurred_at <= row.planned_as_of and click.recorded_at < row.planned_at
                assert not (is_of_it and is_known), row.message_key

    # --------------------------------------------------------------------- the world as rows

    def _person(self, number: int) -> Person:
        return self._root(self.people[number % len(self.people)].name)

    def _root(self, name: str) -> Person:
        """Who a record turned out to be."""
        person = self._person_of(name)
        return person if person.joined is None else self._root(person.joined)

    def _person_of(self, name: str) -> Person:
        return next(person for person in self.people if person.name == name)

    def _steps(self) -> list[Any]:
        return [*self.carts[self.edition], *self.welcome]

    def _send(self, verdict: Verdict = ACCEPTED) -> None:
        for sent in self.circuit.send(self.now, verdict):
            person = self._root(sent.contact_id)
            assert person.is_known_to_consent, sent
            if sent.flow == "flow_cart":
                assert not [at for at in self._known_orders(person) if at > self._left_at(sent.key)], sent

    def _let_it_end(self) -> None:
        """Nothing happens any more, the flows run on, less and less often."""
        for days in (1, 1, 2, 3, 5, 8, 13, 21):
            self.now += timedelta(days=days)
            self._publish()
            self._decide()
            self._send()
        decided = self.circuit.decisions("flow", "step", "reason", "occurrence_id")
        assert not [row for row in decided if row[2] in NOT_FINAL]

    def _decide(self, as_of: datetime | None = None) -> None:
        run = self.circuit.run(as_of or self.now)
        for step in self._steps():
            self.circuit.decide(step, run)

    def _sent_rows(self) -> list[Any]:
        keys = {sent.key for sent in self.circuit.sent}
        return [row for row in self.circuit.messages() if row.message_key in keys]

    def _left_at(self, message_key: str) -> datetime:
        (cart,) = [row.occurrence_id for row in self.circuit.messages() if row.message_key == message_key]
        (at,) = [found["at"] for person in self.people for found in person.carts if found["id"] == cart]
        return at

    def _known_orders(self, person: Person) -> list[datetime]:
        """Of what the newest build knows, all records of the person."""
        known = self.circuit.tables.rows["conditions.ordered"]
        return [row["occurred_at"] for row in known if self._root(row["contact_id"]) is person]

    def _publish(self) -> None:
        for person in self.people:
            person.is_known_to_consent = person.is_known_to_consent and person.consents
        self.circuit.publish(self._rows(), self.now)

    def _rows(self) -> Rows:
        roots = [person for person in self.people if person.joined is None]
        willing = {person.name for person in roots if person.is_known_to_consent}
        ways = (("email", "{}@example.org"), ("push", "browser-{}"))
        return {
            "core.contact_keys": [
                {"record_id": person.name, "contact_id": self._root(person.name).name}
                for person in self.people
            ],
            "core.contacts": [
                {"contact_id": person.name, "language": "de", "timezone": person.zone} for person in roots
            ],
            "core.reach": [
                {"contact_id": person.name, "channel": channel, "address": address.format(person.name)}
                for person in roots
                for channel, address in ways
            ],
            "core.permissions": [
                {"contact_id": name, "channel": channel, "topic": "marketing"}
                for name in sorted(willing)
                for channel, _ in ways
            ],
            "core.source_freshness": [{"source": "shop", "stream": "orders", "fresh_until": self.now}],
            "scores.send_time": [{"contact_id": person.name, "local_hour": person.hour} for person in roots],
            "triggers.cart_abandoned": [
                {
                    "contact_id": self._root(person.name).name,
                    "occurrence_id": found["id"],
                    "occurred_at": found["at"],
                    "total_amount": found["amount"],
                }
                for person in self.people
                for found in person.carts
            ],
            "triggers.subscribed": [
                {
                    "contact_id": self._root(person.name).name,
                    "occurrence_id": f"of {person.name}",
                    "occurred_at": START,
                }
                for person in self.people
            ],
            "conditions.ordered": [
                {"contact_id": self._root(person.name).name, "occurred_at": at}
                for person in self.people
                for at in person.orders
            ],
        }


@pytest.mark.parametrize(("database", "examples"), [("sqlite", 6), ("postgres", 2)])
def test_worlds(database, examples, request):
    new_ledger: NewLedger = request.getfixturevalue(f"new_{database}")
    run_state_machine_as_test(
        lambda: Worlds(new_ledger()),
        settings=settings(
            max_examples=examples,
            stateful_step_count=30,
            deadline=None,
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
            derandomize=True,
        ),
    )
